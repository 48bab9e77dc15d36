# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: chroots
short_description: Lists the images of a runner host as Ansible hosts
author:
  - The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._chroots
  - ansible.builtin.constructed
"""

EXAMPLES = r"""
# nspawn_runner.yml: the images in /var/lib/nspawn-runner, with playbooks beside this file.
plugin: nspawn.runner.chroots

# All else is optional. Another place for the trees, and only some of the images:
root: /srv/images
exclude: [scratch-*]

# A group per distribution, such as os_debian:
keyed_groups:
  - key: nspawn_runner_os.id
    prefix: os
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.plugins.loader import connection_loader, module_loader, shell_loader
from ansible.utils.path import unfrackpath

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import WRAPPER
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.module_utils._tree.beneath import has_python
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.facts import refuse_special_facts
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import CONNECTIONS
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.install import install_remedy
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.origin import option_place
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import unsafe
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import INNER
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import without_effect
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.images import (
    CONFIG_SUFFIXES,
    REFUSED,
    SUBGROUPS,
    find_playbooks,
    find_trees,
    playbook_directories,
    refuse_empty_root,
)
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import Playbook
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.tree_facts import os_release

# Characters of Ansible's own message about an option.
_MOST_TEXT = 300


def _error(found: str, remedy: str = "") -> AnsibleParserError:
    return AnsibleParserError(str(RunnerError(found, remedy)))


def _nothing(_text: str) -> None:
    pass


def _type_problem(kind: str, value: Any) -> str:
    """The type that an option must have, where this value has another one. Ansible takes any text for false, and a list for a text."""
    if value is None:
        return ""
    if kind in ("bool", "boolean"):
        try:
            boolean(value)
        except TypeError:
            return f"true or false, not {value!r}"
    if kind in ("str", "string", "path") and not isinstance(value, str):
        return f"a string, not {value!r}"
    if kind in ("dict", "dictionary") and not isinstance(value, Mapping):
        return f"a mapping, not {value!r}"
    if kind == "list" and not isinstance(value, (list, str)):
        return f"a list, not {value!r}"
    return ""


def _ignored_beside(playbooks: Iterable[Playbook], root: str, beside: str) -> Iterable[str]:
    """Sentences about group_vars and host_vars beside playbooks, where the playbook's directory is not that of an inventory."""
    inventories = [os.path.abspath(source) for source in context.CLIARGS.get("inventory") or ()]
    loaded = {beside, *(source if os.path.isdir(source) else os.path.dirname(source) for source in inventories)}
    # The directories in the root directory are trees.
    for directory in sorted({os.path.dirname(playbook.path) for playbook in playbooks} - {root}):
        yield from without_effect.beside(directory, loaded)


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "nspawn.runner.chroots"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(CONFIG_SUFFIXES)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        REFUSED[path] = []
        config = self._read_config(path)
        beside = os.path.dirname(os.path.abspath(path))
        # Ansible itself would resolve a relative path from the current directory.
        root = unfrackpath(config["root"], follow=False, basedir=beside) if config.get("root") else self.get_option("root")
        try:
            directories = playbook_directories(
                self.get_option("playbook_dirs"), beside, root, lambda directory: unfrackpath(directory, follow=False, basedir=beside)
            )
        except RunnerError as problem:
            raise _error(f"{option_place(path, 'playbook_dirs')}: {problem.found}", problem.remedy) from None
        self._check_connection()
        warn = self.display.warning
        try:
            trees, others = find_trees(root, self._wanted, warn)
        except OSError as exc:
            remedy = "run Ansible as root, or as a user with the right to read it" if isinstance(exc, PermissionError) else ""
            raise _error(f"Cannot list the images in the root directory {root}: {exc.strerror}", remedy) from None
        # The image's own run reports nothing of other images.
        playbooks = find_playbooks(directories, loader, trees, self._wanted, _nothing if INNER else warn, REFUSED[path].append)
        if not INNER:
            for sentence in (*REFUSED[path], *_ignored_beside(playbooks.values(), root, beside)):
                warn(sentence)
        self._skip_others(root, others, playbooks)

        inventory.add_group(GROUP)
        # For actions on a root directory without images.
        inventory.set_variable(GROUP, "nspawn_runner_root", unsafe(root))
        for group in SUBGROUPS:
            inventory.add_group(group)
            inventory.add_child(GROUP, group)
        for group in self.get_option("groups") or ():
            inventory.add_group(self._sanitize_group_name(group))
        names = sorted(trees.union(playbooks))
        for name in names:
            self._add_image(name, root, name in trees, playbooks.get(name))
        # An error here must not hide the images that come later.
        for name in names:
            self._construct(name, path)

    def _read_config(self, path: str) -> Mapping[str, Any]:
        try:
            config = self._read_config_data(path)
        except AttributeError as exc:  # Ansible looks for the key `plugin` in a value of any type.
            raise _error(f"{path} is not a mapping", f"write options such as `plugin: {self.NAME}`") from exc
        except AnsibleError:
            # Ansible's message about a type has no line, and names Python's types.
            given = self.loader.load_from_file(path)
            self._check_options(path, given)
            # Ansible names this option by a path of Python.
            connection = given.get("connection") if isinstance(given, Mapping) else None
            if connection is not None and connection not in CONNECTIONS:
                remedy = f"use {' or '.join(CONNECTIONS)}, since another plugin could run the tasks outside of the trees"
                raise _error(f"{path}: option 'connection' is {connection!r}", remedy) from None
            raise
        self._check_options(path, config)
        if config.get("root") == "":
            raise _error(f"{option_place(path, 'root')}: option 'root' is empty", "give the path of the root directory, or leave the option out")
        if "root" not in config:
            try:
                refuse_empty_root()
            except RunnerError as problem:
                raise AnsibleParserError(f"{path}: {problem}") from problem
        for option in ("playbook_dirs", "include", "exclude"):
            for value in self.get_option(option) or ():
                if not isinstance(value, str):
                    raise _error(f"{option_place(path, option)}: option '{option}' must be a list of strings, and {value!r} is not a string")
        return config

    def _check_options(self, path: str, config: Any) -> None:
        known = C.config.get_configuration_definitions("inventory", self._load_name)
        for option, value in config.items() if isinstance(config, Mapping) else ():
            place = option_place(path, option)
            if option not in known:
                near = difflib.get_close_matches(str(option), known, 1)
                raise _error(f"{place}: unknown option '{option}'" + (f"; the nearest known one is '{near[0]}'" if near else ""))
            if problem := _type_problem(known[option].get("type", "str"), value):
                raise _error(f"{place}: option '{option}' must be {problem}")

    def _wanted(self, name: str) -> bool:
        return any(fnmatchcase(name, glob) for glob in self.get_option("include")) and not any(fnmatchcase(name, glob) for glob in self.get_option("exclude"))

    def _check_connection(self) -> None:
        connection = self.get_option("connection")
        try:
            # For a plugin of a missing collection the loader would print one more warning.
            import_module(f"ansible_collections.{connection.rpartition('.')[0]}")
        except ImportError:
            found = f"Images cannot be entered, since the connection plugin {connection} is not installed"
            self.display.warning(str(RunnerError(found, install_remedy(connection))))
            return
        # Tasks run in forks of this process, and need not load and look up these plugins and this module again.
        plugins = (("connection", connection_loader.get(connection, class_only=True)), ("shell", shell_loader.get("sh", class_only=True)))
        module_loader.find_plugin("command")
        refuse_special_facts(*plugins)

    def _skip_others(self, root: str, others: Mapping[str, str], playbooks: dict[str, Playbook]) -> None:
        for name, kind in others.items():
            reason = f"{os.path.join(root, name)} is {kind}, not a tree"
            if name in playbooks:
                playbooks[name] = Playbook(playbooks[name].path, {}, unsafe(reason))
            # Files such as playbooks and archives are allowed in the root directory.
            elif "." not in name or kind != "a file":
                self.display.warning(f"Skipping {os.path.join(root, name)!r}: it is {kind}, not a tree")

    def _add_image(self, name: str, root: str, present: bool, playbook: "Playbook | None") -> None:
        path = os.path.join(root, name)
        if INNER and (INNER.image, INNER.path) == (name, path):
            # The image's own run sees the staged tree in place of the published one, which a new image does not have yet.
            path, present = INNER.tree, True
        variables: dict[str, Any] = dict(playbook.variables) if playbook else {}
        if playbook:
            variables["nspawn_runner_playbook"] = unsafe(playbook.path)
            if playbook.error:
                variables["nspawn_runner_error"] = playbook.error
                self.display.warning(f"Image {name}: {playbook.error}")
        if present:
            if release := os_release(path):
                variables["nspawn_runner_os"] = release
            if has_python(path):
                variables["ansible_python_interpreter"] = unsafe("/usr/bin/python3")
        # Last, so that these values override those of the playbook.
        variables.update(
            nspawn_runner_root=unsafe(root),
            nspawn_runner_path=unsafe(path),
            nspawn_runner_present=present,
            ansible_host=unsafe(path),
            ansible_connection=unsafe(self.get_option("connection")),
            ansible_chroot_exe=unsafe(WRAPPER),
            ansible_pipelining=True,
        )

        self.inventory.add_host(name)
        for variable, value in variables.items():
            self.inventory.set_variable(name, variable, value)
        if playbook:
            self.inventory.add_child(f"{GROUP}_declared", name)
        if present and not playbook:
            self.inventory.add_child(f"{GROUP}_unmanaged", name)
        self.inventory.add_child(f"{GROUP}_{'present' if present else 'missing'}", name)

    def _construct(self, name: str, path: str) -> None:
        """Applies compose, groups and keyed_groups to an image. An error in one of these is the image's error."""
        strict = self.get_option("strict")
        host = self.inventory.get_host(name)
        for option, apply, more in (
            ("compose", self._set_composite_vars, {}),
            ("groups", self._add_host_to_composed_groups, {"fetch_hostvars": False}),
            ("keyed_groups", self._add_host_to_keyed_groups, {"fetch_hostvars": False}),
        ):
            if not (value := self.get_option(option)):
                continue
            try:
                apply(value, host.get_vars(), name, strict, **more)
            # An option with another form than Ansible expects can raise any exception.
            except Exception as problem:
                text = " ".join(str(problem.message if isinstance(problem, AnsibleError) else problem).split())
                reason = unsafe(visible(f"{option_place(path, option)}: {option}: {text[:_MOST_TEXT]}"))
                self.display.warning(f"Image {name}: {reason}")
                if "nspawn_runner_error" not in host.get_vars():
                    self.inventory.set_variable(name, "nspawn_runner_error", reason)

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
# nspawn_runner.yml: the images in /var/lib/nspawn-runner, with playbooks beside this file or in /etc/nspawn-runner.
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
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.plugins.loader import connection_loader, module_loader, shell_loader
from ansible.utils.path import unfrackpath

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import WRAPPER
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.module_utils._tree.beneath import has_python
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.facts import refuse_special_facts
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import CONNECTIONS
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.install import install_remedy
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import unsafe
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import INNER
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import without_effect
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.images import (
    CONFIG_SUFFIXES,
    SUBGROUPS,
    find_playbooks,
    find_trees,
    playbook_directories,
    refuse_empty_root,
)
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import Playbook
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.tree_facts import os_release


def _error(found: str, remedy: str = "") -> AnsibleParserError:
    return AnsibleParserError(str(RunnerError(found, remedy)))


def _nothing(_text: str) -> None:
    pass


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
        config = self._read_config(path)
        beside = os.path.dirname(os.path.abspath(path))
        # Ansible itself would resolve a relative path from the current directory.
        root = unfrackpath(config["root"], follow=False, basedir=beside) if config.get("root") else self.get_option("root")
        directories = playbook_directories(
            self.get_option("playbook_dirs"), beside, root, lambda directory: unfrackpath(directory, follow=False, basedir=beside)
        )
        self._check_connection()
        warn = self.display.warning
        for directory in directories if self.get_option("playbook_dirs") else ():
            if not os.path.isdir(directory):
                warn(f"There is no directory {directory}, which the option 'playbook_dirs' of {path} names")
        try:
            trees, others = find_trees(root, self._wanted, warn)
        except OSError as exc:
            remedy = "run Ansible as root, or as a user with the right to read it" if isinstance(exc, PermissionError) else ""
            raise _error(f"Cannot list the images in the root directory {root}: {exc.strerror}", remedy) from None
        # The image's own run reports nothing of other images.
        playbooks = find_playbooks(directories, loader, trees, self._wanted, _nothing if INNER else warn)
        if not INNER:
            for sentence in _ignored_beside(playbooks.values(), root, beside):
                warn(sentence)
        self._skip_others(root, others, playbooks)

        inventory.add_group(GROUP)
        # For actions on a root directory without images.
        inventory.set_variable(GROUP, "nspawn_runner_root", unsafe(root))
        for group in SUBGROUPS:
            inventory.add_group(group)
            inventory.add_child(GROUP, group)
        for name in sorted(trees.union(playbooks)):
            self._add_image(name, root, name in trees, playbooks.get(name))

    def _read_config(self, path: str) -> Mapping[str, Any]:
        try:
            config = self._read_config_data(path)
        except AttributeError as exc:  # Ansible looks for the key `plugin` in a value of any type.
            raise _error(f"{path} is not a mapping", f"write options such as `plugin: {self.NAME}`") from exc
        except AnsibleError:
            # Ansible's own message names no file, and the option by a path of Python.
            given = self.loader.load_from_file(path)
            connection = given.get("connection") if isinstance(given, Mapping) else None
            if connection is not None and connection not in CONNECTIONS:
                remedy = f"use {' or '.join(CONNECTIONS)}, since another plugin could run the tasks outside of the trees"
                raise _error(f"{path}: option 'connection' is {connection!r}", remedy) from None
            raise
        known = C.config.get_configuration_definitions("inventory", self._load_name)
        for option in config:
            if option not in known:
                near = difflib.get_close_matches(str(option), known, 1)
                raise _error(f"{path}: unknown option '{option}'" + (f"; the nearest known one is '{near[0]}'" if near else ""))
        if config.get("root") == "":
            raise _error(f"{path}: option 'root' is empty", "give the path of the root directory, or leave the option out")
        if "root" not in config:
            try:
                refuse_empty_root()
            except RunnerError as problem:
                raise AnsibleParserError(f"{path}: {problem}") from problem
        for option in ("playbook_dirs", "include", "exclude"):
            for value in self.get_option(option) or ():
                if not isinstance(value, str):
                    raise _error(f"{path}: option '{option}' must be a list of strings, and {value!r} is not a string")
        return config

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
        self._construct(name)

    def _construct(self, name: str) -> None:
        strict = self.get_option("strict")
        host = self.inventory.get_host(name)
        if compose := self.get_option("compose"):
            self._set_composite_vars(compose, host.get_vars(), name, strict)
        if groups := self.get_option("groups"):
            self._add_host_to_composed_groups(groups, host.get_vars(), name, strict, fetch_hostvars=False)
        if keyed_groups := self.get_option("keyed_groups"):
            self._add_host_to_keyed_groups(keyed_groups, host.get_vars(), name, strict, fetch_hostvars=False)

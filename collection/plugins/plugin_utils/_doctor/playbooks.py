# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the doctor's check of files that look like the playbook of an image, and are none. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from glob import escape, glob
from typing import Any, NamedTuple

from ansible.errors import AnsibleError
from ansible.utils.path import unfrackpath
from yaml import MappingNode, Node, SequenceNode, YAMLError

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import user_yaml
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, WARNING, Rows
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.images import CONFIG_SUFFIXES, playbook_directories

_SUFFIXES = (".yml", ".yaml")
# Bytes of a file that is looked at. A playbook is smaller.
_LIMIT = 1 << 20
# Variables of upstream, of this collection without a letter, and of users: all of them were meant for an image.
_MEANT = layout.VARIABLE_PREFIX.partition("_")[0]


class Searched(NamedTuple):
    """The directories in which the inventory plugin looks for playbooks, the names of all declared images, and Ansible's loader of files."""

    directories: Sequence[str]
    images: Collection[str]
    loader: Any


def directories(inventories: Iterable[str], loader: Any) -> list[str]:
    """The directories in which the inventory plugin looks for playbooks, by these inventories."""
    found: list[str] = []
    for path in inventories:
        if not path.endswith(CONFIG_SUFFIXES) or not os.path.isfile(path):
            continue
        try:
            config = loader.load_from_file(path)
        except AnsibleError:
            continue  # The inventory's own error says so.
        config = config if isinstance(config, dict) else {}
        given = config.get("playbook_dirs")
        given = given.split(",") if isinstance(given, str) else given
        if not (given is None or (isinstance(given, list) and all(isinstance(path, str) for path in given))):
            continue
        beside = os.path.dirname(os.path.abspath(path))
        root = str(config.get("root") or os.environ.get("NSPAWN_RUNNER_ROOT") or layout.ROOT)
        # The inventory has told of directories that are none.
        with suppress(RunnerError):
            found += playbook_directories(given, beside, root, partial(_absolute, beside))
    return list(dict.fromkeys(found))


def _absolute(beside: str, path: str) -> str:
    return unfrackpath(path, follow=False, basedir=beside)


def files(directories: Iterable[str]) -> list[str]:
    """All YAML files in these directories, such as site.yml."""
    return [path for directory in directories for path in sorted(glob(os.path.join(escape(directory), "*"))) if path.lower().endswith(_SUFFIXES)]


def misnamed(searched: Searched) -> Rows:
    found = [row for directory in searched.directories for row in _misnamed(directory, searched.images, searched.loader)]
    yield from found or [(OK, "each file that looks like the playbook of an image is one")]


def _misnamed(directory: str, images: Collection[str], loader: Any) -> Rows:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return  # A directory that does not exist, or one that the inventory has warned of.
    for file in names:
        path = os.path.join(directory, file)
        name, suffix = os.path.splitext(file)
        if suffix.lower() not in _SUFFIXES or file.startswith(".") or file.lower().endswith(CONFIG_SUFFIXES) or name in images:
            continue
        play = _first_play(path, loader)
        if play is None:
            continue
        variables = _keys(play, "vars")
        if suffix not in _SUFFIXES:
            if any(key.startswith(_MEANT) for key in variables) or _text(play, "hosts") == name:
                yield WARNING, f"{path} is ignored, since its name does not end in .yml", f"rename it to {name}{suffix.lower()}"
        elif any(key.startswith(layout.VARIABLE_PREFIX) for key in variables):
            continue  # An image that the inventory excludes, or has warned of.
        elif _text(play, "hosts") == name or any(key.startswith(_MEANT) for key in variables):
            found = f"{path} is no image: {name} has no tree, and the vars of the first play have no {layout.VARIABLE_PREFIX} variable"
            yield WARNING, found, f"set {layout.VARIABLE_PREFIX}chroot_suite there, or rename the file if {name} is no image"


def _first_play(path: str, loader: Any) -> MappingNode | None:
    """The first play of a playbook; None for another file."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _LIMIT:
            return None
        with open(path, encoding="utf-8-sig") as file:
            document = user_yaml(file.read(), path, loader).get_single_node()
    except (OSError, ValueError, RecursionError, YAMLError, AnsibleError):
        return None
    play = document.value[0] if isinstance(document, SequenceNode) and document.value else None
    return play if isinstance(play, MappingNode) else None


def _node(mapping: MappingNode, name: str) -> Node | None:
    return next((value for key, value in mapping.value if key.value == name), None)


def _keys(play: MappingNode, name: str) -> list[str]:
    node = _node(play, name)
    return [str(key.value) for key, _value in node.value] if isinstance(node, MappingNode) else []


def _text(play: MappingNode, name: str) -> str:
    node = _node(play, name)
    return str(node.value) if node is not None else ""

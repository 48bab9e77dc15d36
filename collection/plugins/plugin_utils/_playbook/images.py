# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: which images there are: names, trees and playbooks. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._image.place import name_problem
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP, PLAYBOOK_DIRECTORY
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import Playbook, read_playbook

CONFIG_SUFFIXES = ("nspawn_runner.yml", "nspawn_runner.yaml")
SUBGROUPS = tuple(f"{GROUP}_{state}" for state in ("declared", "present", "missing", "unmanaged"))

# The order is nspawn-runner's: of two files in one directory the .yaml counts.
_SUFFIXES = (".yaml", ".yml")
_RESERVED = ("all", "ungrouped", "localhost", "127.0.0.1", GROUP, *SUBGROUPS)

Warn = Callable[[str], Any]
Wanted = Callable[[str], bool]


def image_name_problem(name: str) -> str | None:
    """Why this cannot be the name of an image; it must serve as a host name in the container and in an inventory."""
    if name in _RESERVED:
        return "the name is reserved"
    if name.endswith((".new", ".old")):
        return "names that end in .new or .old are what an interrupted creation left"
    return name_problem(name)


def playbook_directories(configured: Iterable[str] | None, beside: str | None, root: str, resolve: Callable[[str], str]) -> list[str]:
    """Where playbooks are searched, in this order; `beside` is the inventory's own directory."""
    if configured is None:
        configured = [directory for directory in (beside, PLAYBOOK_DIRECTORY, root) if directory]
    return list(dict.fromkeys(resolve(directory) for directory in configured))


def find_trees(root: str, wanted: Wanted, warn: Warn) -> tuple[set[str], dict[str, str]]:
    """Names of the trees in the root, and of what stands in a tree's place with what it is. A root that is not there has none."""
    trees: set[str] = set()
    others: dict[str, str] = {}
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except FileNotFoundError:
        return trees, others
    for entry in entries:
        name = entry.name
        if name.startswith(".") or name == "lost+found" or not wanted(name):
            continue
        if not entry.is_dir(follow_symlinks=False):
            others[name] = "a symbolic link" if entry.is_symlink() else "a file"
        elif problem := image_name_problem(name):
            warn(f"Skipping the tree {os.path.join(root, name)!r}: {problem}")
        else:
            trees.add(name)
    return trees, others


def find_playbooks(directories: Iterable[str], loader: Any, trees: Container[str], wanted: Wanted, warn: Warn) -> dict[str, Playbook]:
    """The playbook of each image that has one; the first directory wins."""
    found: dict[str, Playbook] = {}
    for directory in directories:
        for name, suffixes in _candidates(directory, warn).items():
            if name in found or not wanted(name):
                continue
            playbook = find_playbook(name, directory, loader, name in trees, warn, suffixes)
            if playbook is None:
                continue
            if problem := image_name_problem(name):
                warn(f"Skipping the playbook {playbook.path!r}: {problem}")
            else:
                found[name] = playbook
    return found


def find_playbook(name: str, directory: str, loader: Any, has_tree: bool, warn: Warn, suffixes: Iterable[str] = _SUFFIXES) -> Playbook | None:
    """The image's playbook in one directory."""
    paths = [os.path.join(directory, name + suffix) for suffix in _SUFFIXES if suffix in suffixes]
    for path in paths:
        playbook = read_playbook(path, loader, has_tree)
        if playbook is None:
            continue
        for other in paths:
            if other != path and os.path.exists(other):
                warn(f"Image {name} has two playbooks: {path} counts, {other} is ignored")
        return playbook
    return None


def _candidates(directory: str, warn: Warn) -> dict[str, list[str]]:
    """Names that a playbook in the directory can have, each with the suffixes it is there with."""
    found: dict[str, list[str]] = {}
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return found
    except OSError as exc:
        warn(f"Playbooks in {directory} are not seen: {exc.strerror}")
        return found
    for file in names:
        name, suffix = os.path.splitext(file)
        if suffix in _SUFFIXES and not file.startswith(".") and not file.endswith(CONFIG_SUFFIXES):
            found.setdefault(name, []).append(suffix)
    return found

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: finds images: their names, trees and playbooks. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import name_problem
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import Playbook, read_playbook

CONFIG_SUFFIXES = ("nspawn_runner.yml", "nspawn_runner.yaml")
SUBGROUPS = tuple(f"{GROUP}_{state}" for state in ("declared", "present", "missing", "unmanaged"))

# As in nspawn-runner, of two files of one name the .yaml counts.
_SUFFIXES = (".yaml", ".yml")
_ROOT_VARIABLE = "NSPAWN_RUNNER_ROOT"
_RESERVED = ("all", "ungrouped", "localhost", "127.0.0.1", GROUP, *SUBGROUPS)

# Sentences about playbooks that no image can have, by inventory file. Each action runs in a fork of the process that has read the inventory.
REFUSED: dict[str, list[str]] = {}

Warn = Callable[[str], Any]
Wanted = Callable[[str], bool]


def image_name_problem(name: str) -> str | None:
    """The reason why a name cannot be an image's; None if it can. An image's name is a host name in its container and in an inventory."""
    if name in _RESERVED:
        return "the name is reserved"
    if name.endswith((".new", ".old")):
        return "names that end in .new or .old are reserved for the rest of an interrupted creation"
    return name_problem(name)


def refused_playbooks() -> list[str]:
    """Sentences about playbooks that no image can have."""
    return [sentence for sentences in REFUSED.values() for sentence in sentences]


def refuse_empty_root() -> None:
    """Raises RunnerError for an empty variable of the environment: as a path, Ansible takes it for the current directory."""
    if os.environ.get(_ROOT_VARIABLE) == "":
        raise RunnerError(f"{_ROOT_VARIABLE} in the environment is empty", "unset it, or give it the path of the root directory")


def playbook_directories(configured: Iterable[str] | None, beside: str | None, root: str, resolve: Callable[[str], str]) -> list[str]:
    """The directories that are searched for playbooks, in this order. `beside`: the directory of the inventory.

    Raises RunnerError for a configured one that is no directory.
    """
    if configured is None:
        return list(dict.fromkeys(resolve(directory) for directory in (beside, root) if directory))
    directories = list(dict.fromkeys(resolve(directory) for directory in configured))
    for directory in directories:
        if not os.path.isdir(directory):
            found = f"the option playbook_dirs names {directory}, which {'is not a directory' if os.path.lexists(directory) else 'does not exist'}"
            raise RunnerError(found, "correct the option, or make the directory")
    return directories


def find_trees(root: str, wanted: Wanted, warn: Warn) -> tuple[set[str], dict[str, str]]:
    """Names of the trees in the root directory; names of its other entries, with their kind. A missing root directory has none."""
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


def find_playbooks(directories: Iterable[str], loader: Any, trees: Container[str], wanted: Wanted, warn: Warn, refuse: Warn) -> dict[str, Playbook]:
    """The playbook of each image that has one; the first directory wins. `refuse` gets a sentence about each playbook that no image can have."""
    found: dict[str, Playbook] = {}
    for directory in directories:
        for name, suffixes in _candidates(directory, warn).items():
            if not wanted(name):
                continue
            playbook = find_playbook(name, directory, loader, name in trees, warn, suffixes)
            if playbook is None:
                continue
            if problem := image_name_problem(name):
                refuse(str(RunnerError(f"{playbook.path}: no image can have the name '{name}': {problem}", "rename the file")))
            elif name in found:
                warn_of_two(name, found[name], playbook, warn)
            else:
                found[name] = playbook
    return found


def warn_of_two(name: str, first: Playbook, second: Playbook, warn: Warn) -> None:
    """Warns of an image with playbooks in two directories, unless both are one file."""
    with suppress(OSError):
        if os.path.samefile(first.path, second.path):
            return
    warn(f"Image {name} has two playbooks: {first.path} counts, {second.path} is ignored")


def find_playbook(name: str, directory: str, loader: Any, has_tree: bool, warn: Warn, suffixes: Iterable[str] = _SUFFIXES) -> Playbook | None:
    """The image's playbook in one directory."""
    paths = [os.path.join(directory, name + suffix) for suffix in _SUFFIXES if suffix in suffixes]
    for path in paths:
        playbook = read_playbook(path, loader, has_tree, warn)
        if playbook is None:
            continue
        for other in paths:
            if other != path and os.path.exists(other):
                warn(f"Image {name} has two playbooks: {path} counts, {other} is ignored")
        return playbook
    return None


def _candidates(directory: str, warn: Warn) -> dict[str, list[str]]:
    """The names of all files that can be playbooks, with the suffixes of each name."""
    found: dict[str, list[str]] = {}
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return found
    except OSError as exc:
        warn(f"The playbooks in {directory} are ignored, since the directory cannot be read: {exc.strerror}")
        return found
    for file in names:
        name, suffix = os.path.splitext(file)
        if suffix in _SUFFIXES and not file.startswith(".") and not file.endswith(CONFIG_SUFFIXES):
            found.setdefault(name, []).append(suffix)
    return found

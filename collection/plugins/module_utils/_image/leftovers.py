# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: names of temporary entries in an image's state directory, and their removal. Names can change at any time.

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host.files import PART
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import JOURNAL
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

_TRASH = "trash-"
_CONFIG = "config"
_INNER_RESULT = "inner-result.json"
_SEED = (layout.SEED_DIRECTORY, layout.SEED_FILE)


def trash_path(state: str) -> str:
    """A new name in the state directory for a tree that is about to be removed."""
    return os.path.join(state, f"{_TRASH}{secrets.token_hex(4)}")


def config_path(state: str) -> str:
    """The configuration file that a creation writes for its bootstrap tool."""
    return os.path.join(state, _CONFIG)


def inner_result_path(state: str) -> str:
    """The report of the run of an image's playbook to the maintenance. The callback writes a file with a longer name and renames it."""
    return os.path.join(state, _INNER_RESULT)


@contextmanager
def temporary_file(state: str) -> Iterator[int]:
    """A descriptor of a new file in the state directory, which is removed at the end."""
    descriptor, path = tempfile.mkstemp(prefix=_TRASH, dir=state)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(path)


def has_leftovers(state: str) -> bool:
    """Whether the state directory has temporary entries, of a killed run or of a running one."""
    return bool(_leftovers(state))


def remove_leftovers(state: str) -> None:
    """Removes all temporary entries of the state directory, unless a journal exists: its swap must be completed first.

    The caller holds the image's lock. Raises RunnerError.
    """
    for name in _leftovers(state):
        remove_entry(os.path.join(state, name))


def remove_entry(path: str) -> None:
    """Removes a file or a tree of a state directory. Raises RunnerError."""
    try:
        os.unlink(path)
    except OSError:
        # A directory, or an immutable file.
        remove_tree(path)


def _leftovers(state: str) -> list[str]:
    try:
        names = os.listdir(state)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [] if JOURNAL in names else [name for name in names if _is_leftover(name) or (name in _SEED and _is_used_up(state, names))]


def _is_leftover(name: str) -> bool:
    return name in (layout.STAGED_DIRECTORY, _CONFIG) or name.startswith((_TRASH, _INNER_RESULT)) or name.endswith(PART)


def _is_used_up(state: str, names: list[str]) -> bool:
    """Whether the seed has no use any more: the image has a tree, or a killed run left a part of the seed."""
    root, image = os.path.dirname(os.path.dirname(state)), os.path.basename(state)
    return os.path.lexists(os.path.join(root, image)) or not all(name in names for name in _SEED)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: removal of trees that nobody uses any more. Names can change at any time.

from __future__ import annotations

import os
import shutil

from ansible_collections.nspawn.runner.plugins.module_utils import _tree
from ansible_collections.nspawn.runner.plugins.module_utils._guard import SYSTEM_PATH, guarded, run
from ansible_collections.nspawn.runner.plugins.module_utils._state import ChrootError

# A subvolume's top directory has this inode number, whatever its name.
_SUBVOLUME_INODE = "256"


def has_leftovers(state: str) -> bool:
    return bool(_leftovers(state))


def leftovers(state: str) -> None:
    """Removes what a creation or a removal left in the state directory."""
    for name in _leftovers(state):
        tree(os.path.join(state, name))


def _leftovers(state: str) -> list[str]:
    try:
        names = os.listdir(state)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in names if name in ("new", "old", "config") or name.startswith("trash-")]


def tree(path: str) -> None:
    """Removes a directory in the state directory, to which only root has access; never what is mounted in it."""
    if is_btrfs(os.path.dirname(path)) and shutil.which("btrfs", path=SYSTEM_PATH):
        _subvolumes(path)
    status, tail = run(guarded(["rm", "--recursive", "--force", "--one-file-system", "--", path]), lambda line: None)
    if status != 0:
        raise ChrootError(f"{path} cannot be removed:\n" + "\n".join(tail))


def is_btrfs(path: str) -> bool:
    status, tail = run(["stat", "--file-system", "--format=%T", "--", path], lambda line: None)
    return status == 0 and tail[-1:] == ["btrfs"]


def _subvolumes(path: str) -> None:
    """Deletes a subvolume and those in it, the innermost first."""
    state = os.path.dirname(path)
    for relpath in _tree.find(path, "-depth", "-type", "d", "-inum", _SUBVOLUME_INODE):
        # Where this fails, rm does it, file by file, or says why it cannot.
        run(["btrfs", "subvolume", "delete", "--commit-after", os.path.join(path, relpath).rstrip("/")], lambda line: None)
    # The space is free only when the kernel's cleaner is through: another tree may need it now.
    run(["btrfs", "subvolume", "sync", state], lambda line: None)
    run(["btrfs", "filesystem", "sync", state], lambda line: None)

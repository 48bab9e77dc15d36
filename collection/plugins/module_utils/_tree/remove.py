# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: removal of trees that nobody uses any more. Names can change at any time.

from __future__ import annotations

import os
import time

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import SYSTEM_PATH, guarded, run
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use
from ansible_collections.nspawn.runner.plugins.module_utils._tree.btrfs import SUBVOLUME_INODE, has_subvolumes


def remove_tree(path: str, wait: bool = True) -> None:
    """Removes a directory in the state directory, to which only root has access; never what is mounted in it.

    `wait`: until the disk has it, and its space is free.
    """
    # A directory of the same file system that is mounted there looks like any other to rm.
    in_use.refuse_mounts(path)
    subvolumes = has_subvolumes(os.path.dirname(path))
    if subvolumes:
        _delete_subvolumes(path, wait)
    status, tail = _rm(path)
    if status != 0:
        # What is left are files that nobody may change, and the directories that lead to them.
        _each(path, "(", "-type", "f", "-o", "-type", "d", ")", "-execdir", "chattr", "-f", "-i", "-a", "--", "{}", "+")
        if subvolumes:
            _delete_subvolumes(path, wait)
        status, tail = _rm(path)
    if status != 0:
        # A container of a run that was killed ends a little later, and may have written there meanwhile.
        time.sleep(1)
        status, tail = _rm(path)
    if status != 0:
        raise RunnerError(f"{path} cannot be removed", output=tail)
    if subvolumes and wait:
        # The space is free only when the kernel's cleaner is through: another tree may need it now.
        state = os.path.dirname(path)
        run(["btrfs", "subvolume", "sync", state])
        run(["btrfs", "filesystem", "sync", state])


def _rm(path: str) -> tuple[int, list[str]]:
    return run(guarded(["rm", "--recursive", "--force", "--one-file-system", "--", path]))


def _delete_subvolumes(path: str, wait: bool) -> None:
    """Deletes a subvolume and those in it, the innermost first. Where this fails, rm does it, file by file, or says why it cannot."""
    if not os.path.lexists(path):
        return
    delete = ["btrfs", "subvolume", "delete", *(["--commit-after"] if wait else [])]
    if run([*delete, path])[0] == 0:
        return
    subvolumes = ("-type", "d", "-inum", str(SUBVOLUME_INODE))
    # Nothing can be deleted from one that is read-only.
    _each(path, *subvolumes, "-execdir", "btrfs", "property", "set", "-t", "subvol", "{}", "ro", "false", ";")
    _each(path, "-depth", *subvolumes, "-execdir", *delete, "{}", ";")


def _each(path: str, *tests: str) -> None:
    """Runs a program of the host on each that find finds, from the directory that it is in: paths may be too long to be named."""
    run(guarded(["find", "-P", path, *tests]), environment={"PATH": SYSTEM_PATH})

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: removal of unused trees. Names can change at any time.

from __future__ import annotations

import os
import time

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import SYSTEM_PATH, Log, guarded, ignore, run
from ansible_collections.nspawn.runner.plugins.module_utils._tree.btrfs import SUBVOLUME_INODE, has_subvolumes, wait_until_gone
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mounts import refuse_mounts


def remove_tree(path: str, wait: bool = True) -> None:
    """Removes an entry of a state directory, to which only root has access, with its subvolumes. Raises RunnerError.

    `wait`: until the removal is on the disk and the space is free.
    """
    # rm --one-file-system does not notice a bind mount of the same file system.
    refuse_mounts(path)
    subvolumes = has_subvolumes(os.path.dirname(path))
    deleted = _delete_subvolumes(path, wait) if subvolumes else []
    status, tail = _rm(path)
    if status != 0:
        # Immutable files are left, and the directories above them.
        _each(path, "(", "-type", "f", "-o", "-type", "d", ")", "-execdir", "chattr", "-f", "-i", "-a", "--", "{}", "+")
        deleted += _delete_subvolumes(path, wait) if subvolumes else []
        status, tail = _rm(path)
    if status != 0:
        # The container of a killed run ends a little later than the run, and may have written files during the removal.
        time.sleep(1)
        status, tail = _rm(path)
    if status != 0:
        raise RunnerError(f"{path} cannot be removed", output=tail)
    if deleted and wait:
        # The kernel frees the space of a subvolume in the background, and the next tree may need the space now.
        wait_until_gone(os.path.dirname(path), deleted)


def _rm(path: str) -> tuple[int, list[str]]:
    return run(guarded(["rm", "--recursive", "--force", "--one-file-system", "--", path]))


def _delete_subvolumes(path: str, wait: bool) -> list[str]:
    """Deletes a subvolume and the subvolumes below, the innermost first, and returns their ids. Errors are ignored: rm reports its own."""
    identity = files.identity(path)
    if identity is None:
        return []
    delete = ["btrfs", "subvolume", "delete", *(["--commit-after"] if wait else [])]
    if run([*delete, path])[0] == 0:
        return [str(identity[1])]
    subvolumes = ("-type", "d", "-inum", str(SUBVOLUME_INODE))
    ids: list[str] = []
    _each(path, *subvolumes, "-execdir", "btrfs", "inspect-internal", "rootid", "{}", ";", log=ids.append)
    # The subvolumes below a read-only subvolume cannot be deleted.
    _each(path, *subvolumes, "-execdir", "btrfs", "property", "set", "-t", "subvol", "{}", "ro", "false", ";")
    _each(path, "-depth", *subvolumes, "-execdir", *delete, "{}", ";")
    return [line for line in ids if line.isdigit()]


def _each(path: str, *tests: str, log: Log = ignore) -> None:
    """Runs find with an action such as -execdir, which works in the entry's own directory: paths can be longer than the kernel accepts."""
    run(guarded(["find", "-P", path, *tests]), log=log, environment={"PATH": SYSTEM_PATH})

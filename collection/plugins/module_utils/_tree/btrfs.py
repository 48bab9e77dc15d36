# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: subvolumes of btrfs. Names can change at any time.

from __future__ import annotations

import shutil
from collections.abc import Sequence

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import SYSTEM_PATH, run

# Inode number of a subvolume's top directory.
SUBVOLUME_INODE = 256
# Seconds. A deleted subvolume stays on the disk while a process has a file open there.
_PATIENCE = 60


def is_btrfs(path: str) -> bool:
    """Whether the path is on btrfs."""
    status, tail = run(["stat", "--file-system", "--format=%T", "--", path])
    return status == 0 and tail[-1:] == ["btrfs"]


def has_subvolumes(path: str) -> bool:
    """Whether subvolumes can be made and deleted in this directory: on btrfs, with the program btrfs."""
    return shutil.which("btrfs", path=SYSTEM_PATH) is not None and is_btrfs(path)


def wait_until_gone(path: str, ids: Sequence[str]) -> None:
    """Waits until these deleted subvolumes of the file system of `path` have given their space back, for a minute at most."""
    # Without ids, the program waits for the deleted subvolumes of all users of the file system.
    run(["timeout", str(_PATIENCE), "btrfs", "subvolume", "sync", path, *ids])
    run(["btrfs", "filesystem", "sync", path])

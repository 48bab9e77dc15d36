# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the last steps of each creation, whichever tool filled the tree. Names can change at any time.

from __future__ import annotations

import os
import stat

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath
from ansible_collections.nspawn.runner.plugins.module_utils._tree.devices import remove_devices

# Files with data of the host that made the tree, and caches.
_REMOVED = (
    "etc/hostname",
    "etc/resolv.conf",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/lib/apt/lists/*",
    "var/lib/apt/lists/partial/*",
    "var/lib/apt/periodic/update-success-stamp",
    "var/lib/dbus/machine-id",
)


def finish_tree(tree: str, leftovers: tuple[str, ...], log: Log) -> None:
    """Removes the host's data, caches and the tool's `leftovers` (patterns) from a new tree, and device nodes except the harmless ones.

    Raises OSError or RunnerError.
    """
    status = os.lstat(tree)
    if not stat.S_ISDIR(status.st_mode):
        raise RunnerError(f"the create command replaced the directory {tree} by something else", "change the command so that it fills this directory")
    os.chmod(tree, 0o755)
    os.chown(tree, 0, 0, follow_symlinks=False)
    for pattern in (*_REMOVED, *leftovers):
        beneath.remove_files(tree, pattern)
    with beneath.directory_beneath(tree, "var/lib/apt/lists") as lists:
        if lists is not None:
            # Ansible's cache_valid_time goes by this time, which the removal has renewed.
            os.utime(lists, (0, 0))
    beneath.empty_file(tree, "etc/machine-id")
    remove_devices(tree, log)

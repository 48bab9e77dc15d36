# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: removal of device nodes from trees. Names can change at any time.

from __future__ import annotations

import os
import stat

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

# Character devices that bootstrap tools make: null zero full random urandom, tty console ptmx.
_HARMLESS = {*((1, minor) for minor in (3, 5, 7, 8, 9)), *((5, minor) for minor in (0, 1, 2))}
# Removed nodes that are named in the log.
_NAMED = 10


def remove_devices(tree: str, log: Log) -> bool:
    """Removes the device nodes of a tree except harmless ones, and returns whether there were any. Raises OSError or RunnerError.

    A node is the host's device for each process that can open the node, with or without a container.
    """
    count = 0
    for names, directories, enter in beneath.walk(tree):
        directory = directories[0]
        device = os.fstat(directory).st_dev
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if os.lstat(entry.name, dir_fd=directory).st_dev == device:
                        enter(entry.name)
                elif not entry.is_symlink() and not entry.is_file(follow_symlinks=False) and (node := _harmful(directory, entry.name)):
                    os.unlink(entry.name, dir_fd=directory)
                    count += 1
                    if count <= _NAMED:
                        name = visible(os.path.join(*names, entry.name)[-200:])
                        log(f"removed the device node {name} ({node})")
    if count > _NAMED:
        log(f"removed {count - _NAMED} more device nodes")
    return count > 0


def _harmful(directory: int, name: str) -> str:
    """Kind and numbers of the device of a harmful node; empty for any other entry."""
    status = os.lstat(name, dir_fd=directory)
    device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    if stat.S_ISBLK(status.st_mode):
        return f"block device {device[0]}:{device[1]}"
    return f"character device {device[0]}:{device[1]}" if stat.S_ISCHR(status.st_mode) and device not in _HARMLESS else ""

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: removal of device nodes from trees. Names can change at any time.

from __future__ import annotations

import os
import re
import stat

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log
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
    for relpath in beneath.find(tree, "(", "-type", "b", "-o", "-type", "c", ")"):
        handle = beneath.open_beneath(tree, relpath, os.O_PATH)
        status = os.fstat(handle)
        os.close(handle)
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
        if stat.S_ISBLK(status.st_mode) or device not in _HARMLESS:
            beneath.remove_file(tree, relpath)
            count += 1
            if count <= _NAMED:
                name = re.sub("[^ -~]", "?", relpath[-200:])
                log(f"removed the device node {name} ({'block' if stat.S_ISBLK(status.st_mode) else 'character'} device {device[0]}:{device[1]})")
    if count > _NAMED:
        log(f"removed {count - _NAMED} more device nodes")
    return count > 0

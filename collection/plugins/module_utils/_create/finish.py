# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the last steps of each creation, whichever tool filled the tree. Names can change at any time.

from __future__ import annotations

import os
import stat

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, run
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
    # Logs of a package manager of the host, with paths of the host.
    "var/log/dnf*.log*",
    "var/log/hawkey.log*",
    "var/log/zypper.log",
    "var/log/zypp/*",
    "var/log/pacman.log",
    "var/log/apk.log",
    # Sockets of the host's programs that made the keyring of pacman, which itself stays: pacman in the tree checks packages with it.
    "etc/pacman.d/gnupg/S.*",
    "etc/pacman.d/gnupg/.#*",
)
# Caches of package managers: package lists and downloaded packages, in directories of any depth.
_EMPTIED = ("var/cache/dnf", "var/cache/libdnf5", "var/cache/yum", "var/cache/zypp", "var/cache/pacman/pkg", "var/cache/apk")


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
    for path in _EMPTIED:
        _empty(tree, path)
    with beneath.directory_beneath(tree, "var/lib/apt/lists") as lists:
        if lists is not None:
            # Ansible's cache_valid_time goes by this time, which the removal has renewed.
            os.utime(lists, (0, 0))
    beneath.empty_file(tree, "etc/machine-id")
    remove_devices(tree, log)


def _empty(tree: str, path: str) -> None:
    with beneath.directory_beneath(tree, path) as directory:
        if directory is None or not os.listdir(directory):
            return
        remove = ["rm", "--recursive", "--force", "--one-file-system", "--", "{}", "+"]
        status, tail = run(["find", "-P", f"/proc/{os.getpid()}/fd/{directory}/", "-mindepth", "1", "-maxdepth", "1", "-exec", *remove])
        if status != 0:
            raise RunnerError(f"the cache {path} in the new tree cannot be emptied", output=tail)

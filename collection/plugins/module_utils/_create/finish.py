# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the last steps of each creation, whichever tool filled the tree. Names can change at any time.

from __future__ import annotations

import os
import re
import stat

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import (
    check_user_namespace,
    container_argv,
    flags,
    read_container_file,
)
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, run
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import ENVIRONMENT
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath
from ansible_collections.nspawn.runner.plugins.module_utils._tree.devices import remove_devices
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mount_points import make_mount_points
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps

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
# Seconds for a shell that does nothing, and the exit status of timeout(1) when it had to kill.
_PATIENCE = 60
_KILLED = 128 + 9


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


def check_usable(tree: str, name: str, state: str) -> None:
    """Runs a shell in a container on the tree. `name`, `state`: the image's name and private directory. Raises RunnerError if that fails."""
    refuse_traps(tree)
    with beneath.directory_beneath(tree, "usr") as usr:
        if usr is None:
            entries = ", ".join(sorted(entry[:40] for entry in os.listdir(tree))[:10])
            raise RunnerError(f"the new tree is not usable: {f'it has no directory /usr, only {entries}' if entries else 'it is empty'}")
    arguments, options = read_container_file(state)
    make_mount_points(tree, arguments)
    argv = container_argv(tree, [*flags(name), *arguments, "/bin/sh", "-c", ":"], limit=_PATIENCE)
    # The environment of systemd-nspawn has nothing of the caller's, since variables such as SYSTEMD_SECCOMP weaken the container.
    status, tail = run(argv, environment={**ENVIRONMENT, **options}, inherited=())
    if status == 0:
        return
    check_user_namespace(arguments, tree)
    text = "\n".join(tail)
    reason, remedy = f"a container on it ends with exit status {status}", ""
    if status == _KILLED:
        reason = f"a shell in it does not end within {_PATIENCE} s"
    elif "Exec format error" in text:
        reason, remedy = "its programs are of an architecture that this host cannot run", "use an architecture of this host"
    elif re.search(r"(execv|exec).*No such file", text, re.IGNORECASE):
        reason = "it has no /bin/sh that can run"
    raise RunnerError(f"the new tree is not usable: {reason}", remedy, tail)

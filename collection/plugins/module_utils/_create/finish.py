# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what every new tree goes through, whoever filled it. Names can change at any time.

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress

from ansible_collections.nspawn.runner.plugins.module_utils import _tree
from ansible_collections.nspawn.runner.plugins.module_utils._container import host_name
from ansible_collections.nspawn.runner.plugins.module_utils._guard import guarded, run
from ansible_collections.nspawn.runner.plugins.module_utils._nspawn_flags import ENVIRONMENT, FLAGS
from ansible_collections.nspawn.runner.plugins.module_utils._state import ChrootError

# What belongs to the host that made the tree, and what can be fetched again.
_OF_THE_HOST = (
    "etc/hostname",
    "etc/resolv.conf",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/lib/apt/lists/*",
    "var/lib/apt/lists/partial/*",
    "var/lib/dbus/machine-id",
)
# null zero full random urandom, tty console ptmx
_DEVICES = {*((1, minor) for minor in (3, 5, 7, 8, 9)), *((5, minor) for minor in (0, 1, 2))}


def finish(tree: str, leftovers: tuple[str, ...]) -> None:
    """Takes out of a new tree what is the host's, and every device that a container must not open."""
    status = os.lstat(tree)
    if not stat.S_ISDIR(status.st_mode):
        raise ChrootError("the create command replaced its directory by something else")
    os.chmod(tree, 0o755)
    os.chown(tree, 0, 0, follow_symlinks=False)
    for pattern in (*_OF_THE_HOST, *leftovers):
        _tree.remove_files(tree, pattern)
    _tree.empty_file(tree, "etc/machine-id")
    _remove_devices(tree)


def _remove_devices(tree: str) -> None:
    for relpath in _tree.find(tree, "(", "-type", "b", "-o", "-type", "c", ")"):
        handle = _tree.open_beneath(tree, relpath, os.O_PATH)
        status = os.fstat(handle)
        os.close(handle)
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
        if stat.S_ISBLK(status.st_mode) or device not in _DEVICES:
            _tree.remove_file(tree, relpath)


def refuse_traps(tree: str) -> None:
    """Refuses a tree for which systemd-nspawn would use files of the host: it makes and reads some before the tree is its root directory."""
    for path in (os.path.join(tree, name) for name in ("dev", "etc", "proc", "run", "sys")):
        if os.path.islink(path):
            raise ChrootError(f"{path} is a symbolic link, which systemd-nspawn could follow on the host: put a directory in its place")
    machine_id = os.path.join(tree, "etc/machine-id")
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(os.lstat(machine_id).st_mode):
            raise ChrootError(f"{machine_id} is no regular file, and systemd-nspawn would open it, or what it names, on the host: remove it")


def check_usable(tree: str, name: str) -> None:
    """Runs a shell in a container on the tree."""
    refuse_traps(tree)
    with _tree.directory_beneath(tree, "usr") as usr:
        if usr is None:
            there = ", ".join(sorted(entry[:40] for entry in os.listdir(tree))[:10]) or "nothing"
            raise ChrootError(f"what was made is no usable tree: it has no directory /usr; it has {re.sub(r'[^ -~]', '?', there)}")
    machine = f"nspawn-runner-{os.urandom(8).hex()}"
    flags = [flag.replace("{machine}", machine).replace("{name}", host_name(name)) for flag in FLAGS]
    argv = ["systemd-nspawn", *flags, f"--directory={tree}", "/bin/sh", "-c", ":"]
    status, tail = run(guarded(argv), lambda line: None, **ENVIRONMENT)
    if status == 0:
        return
    text = "\n".join(tail)
    reason = f"a container in it ends with exit status {status}"
    if "Exec format error" in text:
        reason = "its programs are of an architecture that this host cannot run"
    elif re.search(r"(execv|exec).*No such file", text, re.IGNORECASE):
        reason = "it has no /bin/sh that can run"
    raise ChrootError(f"what was made is no usable tree: {reason}\n{text}".rstrip())

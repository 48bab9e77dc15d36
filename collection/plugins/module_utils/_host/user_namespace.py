# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: whether containers on this host can have a user namespace, in which the owners of files are mapped. As a program, the wrapper calls
# this file after a failure: standard library only, no other file of the collection. Names can change at any time.

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

REMEDY = "use another file system, or set nspawn_runner_user_namespace: false for the image, which weakens the wall between container and host"

_CLONE_NEWUSER = 0x10000000
# Numbers of system calls on all architectures of systemd-nspawn.
_OPEN_TREE, _MOUNT_SETATTR = 428, 442
_AT_FDCWD, _AT_EMPTY_PATH, _OPEN_TREE_CLONE, _MOUNT_ATTR_IDMAP = -100, 0x1000, 1, 0x00100000
_BASE, _COUNT = 524288, 65536
_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def obstacle(tree: str, binds: Sequence[str] = ()) -> str:
    """The reason, as a sentence, for which a container can have no user namespace; empty if there is none.

    `tree`: the tree, or a directory on its file system. `binds`: files and directories of the host that the container sees. The kernel is asked
    on copies of the mounts that no process sees.
    """
    try:
        with user_namespace() as namespace:
            for path in (tree, *binds):
                if reason := _unmapped(path, namespace) or (path in binds and _mounts_below(path)):
                    return f"the owners of the files in {path} cannot be mapped for a user namespace ({reason})"
    except OSError as problem:
        return f"this host allows no user namespace ({problem.strerror})"
    return ""


def bind_source(bind: str) -> str:
    """The path on the host in SOURCE[:TARGET[:OPTIONS]], the value of a flag of systemd-nspawn, which reads "\\:" as a colon of a path."""
    return re.split(r"(?<!\\):", bind)[0].replace("\\:", ":")


@contextmanager
def user_namespace(base: int = _BASE, owner: tuple[int, int] | None = None) -> Iterator[int]:
    """A descriptor of a user namespace with the 65,536 ids from `base`. Raises OSError.

    `owner`: a user and a group of the host, which alone are in the namespace, as the id `base`.
    """
    reader, writer = os.pipe()
    ready, done = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        failed = _libc.unshare(_CLONE_NEWUSER)
        os.write(done, b"%d" % (ctypes.get_errno() if failed else 0))
        # Until the parent closes its end.
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    os.close(done)
    try:
        if error := int(os.read(ready, 16)):
            raise OSError(error, os.strerror(error))
        for index, ids in enumerate(("uid_map", "gid_map")):
            with open(f"/proc/{child}/{ids}", "wb", buffering=0) as file:
                file.write(b"%d %d 1" % (owner[index], base) if owner else b"0 %d %d" % (base, _COUNT))
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield namespace
        finally:
            os.close(namespace)
    finally:
        os.close(ready)
        os.close(writer)
        os.waitpid(child, 0)


def _unmapped(path: str, namespace: int) -> str:
    """The system's reason for which the owners in this mount cannot be mapped; empty if they can."""
    mount = _libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), _OPEN_TREE_CLONE | os.O_CLOEXEC)
    if mount < 0:
        error = ctypes.get_errno()
        # Another error will tell of a file that is missing.
        return "" if error == errno.ENOENT else os.strerror(error)
    try:
        attributes = _MountAttr(attr_set=_MOUNT_ATTR_IDMAP, userns_fd=namespace)
        failed = _libc.syscall(_MOUNT_SETATTR, mount, b"", _AT_EMPTY_PATH, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)))
        return os.strerror(ctypes.get_errno()) if failed else ""
    finally:
        os.close(mount)


def _mounts_below(path: str) -> str:
    # systemd-nspawn fails at such a bind with "Device or resource busy".
    prefix = os.path.join(os.path.realpath(path), "")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split(" ")[4]) for line in file]
    below = [point for point in points if point.startswith(prefix)]
    return f"{below[0]} is mounted below" if below else ""


if __name__ == "__main__":
    if found := obstacle(sys.argv[1], [bind_source(bind) for bind in sys.argv[2:]]):
        sys.stdout.write(f"{found}: {REMEDY}\n")

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: mounts that this process makes, in a mount namespace of its own. Standard library only. Names can change at any time.

from __future__ import annotations

import ctypes
import os

_CLONE_NEWNS = 0x00020000
NOSUID, NODEV, NOATIME, _MS_BIND, _MS_REC, _MS_SLAVE = 2, 4, 1024, 4096, 16384, 1 << 19
# Numbers of system calls on all architectures of systemd-nspawn.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH, _OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = -100, 0x1000, 1, 4
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_IDMAP = 1, 2, 4, 0x00100000
_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def leave_host_mounts() -> None:
    """Gives this process a mount namespace of its own. Later mounts and unmounts of the host arrive there, none goes back. Raises OSError."""
    _check(_libc.unshare(_CLONE_NEWNS), "the mount namespace")
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None), "/")


def mount(kind: str, target: str, flags: int, options: str) -> None:
    """Mounts a new file system of this type. Raises OSError with the target's path."""
    _check(_libc.mount(kind.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode()), target)


def attach(source: int | str, target: str, namespace: int | None = None, *, read_only: bool = False, setuid: bool = True) -> None:
    """Mounts a directory or file once more, without its mounts and its device nodes. Raises OSError.

    `source`: a path, or a descriptor. `namespace`: a descriptor of the user namespace that maps the owners; None for no mapping.
    `setuid`: whether setuid programs work there.
    """
    directory, path = (source, b"") if isinstance(source, int) else (_AT_FDCWD, os.fsencode(source))
    copy = _libc.syscall(_OPEN_TREE, directory, path, _AT_EMPTY_PATH | _OPEN_TREE_CLONE | os.O_CLOEXEC)
    _check(copy, target)
    try:
        wanted = _ATTR_NODEV | (_ATTR_RDONLY if read_only else 0) | (0 if setuid else _ATTR_NOSUID) | (0 if namespace is None else _ATTR_IDMAP)
        attributes = _MountAttr(attr_set=wanted, userns_fd=namespace or 0)
        _check(_libc.syscall(_MOUNT_SETATTR, copy, b"", _AT_EMPTY_PATH, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes))), target)
        _check(_libc.syscall(_MOVE_MOUNT, copy, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH), target)
    finally:
        os.close(copy)


def bind(source: str, target: str) -> None:
    """Mounts a file once more, such as one of /proc that stands for a namespace. Raises OSError."""
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(_MS_BIND), None), target)


def _check(result: int, path: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: renames and writes that a crash leaves either done or not done. Names can change at any time.

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import struct
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import run

NOREPLACE, EXCHANGE = 1, 2
_AT_FDCWD = -100
# linux/fs.h and linux/btrfs.h.
_GETFLAGS, _SETFLAGS = 0x80086601, 0x40086602
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
_BTRFS_INO_LOOKUP = 0xD0009412
_SUBVOLUME_INODE = 256
# Suffix of a file that is being written.
PART = ".part"
_libc = ctypes.CDLL(None, use_errno=True)


def rename(source: str, target: str, flags: int) -> None:
    if _libc.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) != 0:
        problem = ctypes.get_errno()
        raise system_error(OSError(problem, os.strerror(problem)), f"{source} cannot be renamed to {target}")


def exists(path: str) -> bool:
    return os.path.lexists(path)


def identity(path: str) -> list[int] | None:
    """What tells a directory from every other of its file system, also after a reboot; None when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        inode = os.fstat(descriptor).st_ino
        # All subvolumes have the same inode number.
        return [inode, _subvolume(descriptor) if inode == _SUBVOLUME_INODE else 0]
    finally:
        os.close(descriptor)


def _subvolume(descriptor: int) -> int:
    # struct btrfs_ioctl_ino_lookup_args: treeid, which 0 has filled in, objectid, name.
    arguments = bytearray(struct.pack("=QQ", 0, _SUBVOLUME_INODE) + bytes(4080))
    try:
        fcntl.ioctl(descriptor, _BTRFS_INO_LOOKUP, arguments)
    except OSError:
        # Another file system, where the number is like any other.
        return 0
    return struct.unpack_from("=Q", arguments)[0]


def clear_flags(directory: str) -> None:
    """Takes away what keeps root from renaming a directory: chattr +i and +a. What is in it keeps its own."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = struct.unpack("=i", fcntl.ioctl(descriptor, _GETFLAGS, bytes(4)))[0]
        if flags & (_IMMUTABLE | _APPEND_ONLY):
            fcntl.ioctl(descriptor, _SETFLAGS, struct.pack("=i", flags & ~(_IMMUTABLE | _APPEND_ONLY)))
    except OSError:
        # A file system without such flags; otherwise the rename says what is wrong.
        pass
    finally:
        os.close(descriptor)


def sync_file_system(path: str) -> None:
    status, tail = run(["sync", "--file-system", path])
    if status != 0:
        raise RunnerError(f"{path} cannot be written to the disk", output=tail)


def sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str, content: dict[str, Any]) -> None:
    """Replaces a file by an object, as `write_text` does."""
    write_text(path, f"{json.dumps(content, indent=2)}\n")


def write_text(path: str, text: str) -> None:
    """Replaces a file as a whole: after a crash, and for another process, the content is the old one or the new one.

    One writer at a time. The file is private to root. Raises RunnerError.
    """
    part = f"{path}{PART}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_directory(os.path.dirname(path))
    except OSError as exc:
        raise system_error(exc, f"{path} cannot be written") from exc


def remove_file(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_directory(os.path.dirname(path))

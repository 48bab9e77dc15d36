# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: renames and writes that are complete or undone after a crash. Names can change at any time.

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import run

NOREPLACE, EXCHANGE = 1, 2
_AT_FDCWD = -100
# From linux/fs.h and linux/btrfs.h.
_GETFLAGS, _SETFLAGS = 0x80086601, 0x40086602
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
_BTRFS_INO_LOOKUP = 0xD0009412
_SUBVOLUME_INODE = 256
# A file system with fewer free blocks or inodes counts as full: new files may not get the last ones.
_BLOCKS, _INODES = 64, 4
# Suffix of a file that is being written.
PART = ".part"
_libc = ctypes.CDLL(None, use_errno=True)


def rename(source: str, target: str, flags: int) -> None:
    """renameat2(2) with NOREPLACE or EXCHANGE. Raises RunnerError."""
    if _libc.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) != 0:
        number = ctypes.get_errno()
        problem = system_error(OSError(number, os.strerror(number)), f"{source} cannot be renamed to {target}")
        raise _read_only(problem, source, target) if number == errno.EROFS else problem


def _read_only(problem: RunnerError, *paths: str) -> RunnerError:
    """The error of a rename on a file system that can be written: a btrfs subvolume that is read-only has no other directory above it."""
    for path in paths:
        if os.path.isdir(path) and not os.access(path, os.W_OK) and not os.statvfs(os.path.dirname(path)).f_flag & os.ST_RDONLY:
            return RunnerError(f"{problem.found}: {path} is a read-only subvolume", f"run btrfs property set {path} ro false")
    return problem


def exists(path: str) -> bool:
    """Whether the path has an entry, be it a dangling link."""
    return os.path.lexists(path)


def identity(path: str) -> list[int] | None:
    """Numbers of a directory that no other directory of the file system has, also after a reboot; None if there is no directory."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        inode = os.fstat(descriptor).st_ino
        # The top directories of all subvolumes have the same inode number.
        return [inode, _subvolume(descriptor) if inode == _SUBVOLUME_INODE else 0]
    finally:
        os.close(descriptor)


def _subvolume(descriptor: int) -> int:
    # struct btrfs_ioctl_ino_lookup_args: treeid (the kernel replaces 0 by the subvolume's), objectid, name.
    arguments = bytearray(struct.pack("=QQ", 0, _SUBVOLUME_INODE) + bytes(4080))
    try:
        fcntl.ioctl(descriptor, _BTRFS_INO_LOOKUP, arguments)
    except OSError:
        # Not btrfs: 256 is an inode number like any other.
        return 0
    return struct.unpack_from("=Q", arguments)[0]


def clear_flags(directory: str) -> None:
    """Removes the flags of a directory that keep root from renaming it (chattr +i and +a), not those of its entries."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = struct.unpack("=i", fcntl.ioctl(descriptor, _GETFLAGS, bytes(4)))[0]
        if flags & (_IMMUTABLE | _APPEND_ONLY):
            fcntl.ioctl(descriptor, _SETFLAGS, struct.pack("=i", flags & ~(_IMMUTABLE | _APPEND_ONLY)))
    except OSError:
        # The file system has no such flags, or else the rename fails and reports the reason.
        pass
    finally:
        os.close(descriptor)


def sync_file_system(path: str) -> None:
    """Writes the file system of this path to the disk. Raises RunnerError."""
    status, tail = run(["sync", "--file-system", path])
    if status != 0:
        raise RunnerError(f"{path} cannot be written to the disk", output=tail)


def sync_directory(path: str) -> None:
    """Writes a directory's entries to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str, content: dict[str, Any]) -> None:
    """Replaces a file by a JSON object, as `write_text` does."""
    write_text(path, json_text(content))


def json_text(content: dict[str, Any]) -> str:
    """The text of a file with a JSON object, in ASCII."""
    return f"{json.dumps(content, indent=2)}\n"


def write_text(path: str, text: str, group: int | None = None) -> None:
    """Replaces a file, which root alone can read, and this group. Readers, also after a crash, find the old content or the new one.

    Only one process may write the file at a time. Raises RunnerError.
    """
    part = f"{path}{PART}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            if group is not None:
                os.fchown(descriptor, -1, group)
                os.fchmod(descriptor, 0o640)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_directory(os.path.dirname(path))
    except OSError as exc:
        # On a full disk the part would only take room.
        with suppress(OSError):
            os.unlink(part)
        raise system_error(exc, f"{path} cannot be written") from exc


def is_full(problem: BaseException | None) -> bool:
    """Whether an error is that of a full file system or of a quota."""
    return isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)


def full(paths: Iterable[str]) -> str:
    """The first full file system of these paths, as a clause such as "the file system of /a is full"; empty if none is."""
    for path in paths:
        with suppress(OSError):
            space = os.statvfs(path)
            if space.f_bavail < _BLOCKS:
                return f"the file system of {path} is full"
            # btrfs counts no inodes.
            if space.f_files and space.f_favail < _INODES:
                return f"the file system of {path} has no free inodes"
    return ""


def remove_file(path: str) -> None:
    """Removes a file if there is one, also from the disk. Raises OSError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_directory(os.path.dirname(path))

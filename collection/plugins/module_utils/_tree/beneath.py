# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: files in a tree, opened without following the tree's symbolic links. Names can change at any time.

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError

# The path does not exist, or has another kind of entry.
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Of the directories on the way down, this many stay open. The walk opens the higher ones again by "..".
_OPEN = 64
# Names that a walk holds: of the directories on the way down, and of the directories that wait to be entered.
_HELD = 1 << 17


class TooLarge(RunnerError):
    """A tree is larger than can be looked through in bounded memory and time."""


def open_beneath(tree: str, relpath: str, flags: int, mode: int = 0o644) -> int:
    """A descriptor of `relpath` in the tree, opened component by component. Raises OSError (ELOOP or ENOTDIR) at a symbolic link."""
    parts = relpath.split("/")
    if not all(parts) or ".." in parts or "." in parts:
        raise ValueError(f"not a plain relative path: {relpath!r}")
    directory = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            child = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.close(directory)
            directory = child
        return os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=directory)
    finally:
        os.close(directory)


@contextmanager
def open_file(tree: str, relpath: str, limit: int) -> Iterator[BinaryIO | None]:
    """A regular file of at most `limit` bytes, open for reading; None for any other entry, or none. Raises OSError, such as PermissionError."""
    handle = _descriptor(tree, relpath, os.O_PATH)
    try:
        # Only a regular file is opened for reading: to open a FIFO can block, and to open a device can have effects.
        status = None if handle is None else os.fstat(handle)
        if status is None or not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            yield None
        else:
            with open(f"/proc/self/fd/{handle}", "rb") as file:
                yield file
    finally:
        if handle is not None:
            os.close(handle)


def _descriptor(tree: str, relpath: str, flags: int) -> int | None:
    """A descriptor of an entry in the tree, '' for the tree itself; None if there is no such entry. Raises OSError."""
    try:
        return open_beneath(tree, relpath, flags) if relpath else os.open(tree, flags)
    except OSError as exc:
        if exc.errno not in _MISSING:
            raise
        return None


def read_file(tree: str, relpath: str, limit: int) -> bytes | None:
    """The content of a regular file of at most `limit` bytes; None for any other entry, or none. Raises OSError, such as PermissionError."""
    with open_file(tree, relpath, limit) as file:
        # The file can grow while it is read.
        content = file.read(limit + 1) if file else None
    return content if content is None or len(content) <= limit else None


@contextmanager
def directory_beneath(tree: str, relpath: str) -> Iterator[int | None]:
    """A descriptor of a directory in the tree ('' is the tree itself); None if there is no directory. Raises OSError."""
    descriptor = _descriptor(tree, relpath, _DIRECTORY)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def remove_files(tree: str, pattern: str) -> None:
    """Removes files and links that match, no directories. Only the last component of the pattern may be a glob. Raises OSError."""
    parent, _slash, glob = pattern.rpartition("/")
    with directory_beneath(tree, parent) as directory:
        if directory is None:
            return
        with os.scandir(directory) as entries:
            for entry in entries:
                if fnmatch.fnmatchcase(entry.name, glob) and not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=directory)


def remove_file(tree: str, relpath: str) -> None:
    """Removes one file or link if it exists. Raises OSError."""
    parent, _slash, name = relpath.rpartition("/")
    with directory_beneath(tree, parent) as directory:
        if directory is not None:
            with suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(name, dir_fd=directory)


def walk(*trees: str) -> Iterator[tuple[list[str], list[int], Callable[[str], None]]]:
    """The directories of a tree, each before the directories in it: components of the path, descriptors, and a function.

    The caller calls the function with the name of each directory to enter from there. With several trees, each has a descriptor, and only
    directories that all trees have can be entered. Memory and open descriptors are bounded, whatever the number of directories and the length of
    paths. Raises OSError, or TooLarge, also from the function.
    """
    # For the directories from the top down to the present one: names that wait to be entered, and descriptors, or identities of closed ones.
    names: list[str] = []
    waiting: list[list[str]] = [[]]
    closed: list[list[tuple[int, int]]] = []
    opened = deque([_open_each(trees)])
    held = 0

    def enter(name: str) -> None:
        nonlocal held
        held += 1
        if held > _HELD:
            raise TooLarge(f"{trees[0]} has too many directories, in one directory or one below the other")
        waiting[-1].append(name)

    try:
        while True:
            yield names, opened[-1], enter
            while not waiting[-1]:
                waiting.pop()
                if not waiting:
                    return
                names.pop()
                held -= 1
                left = opened.pop()
                try:
                    if not opened:
                        opened.append(_open_above(left, closed.pop()))
                finally:
                    _close(left)
            names.append(waiting[-1].pop())
            opened.append(_open_each([names[-1]] * len(trees), opened[-1]))
            waiting.append([])
            if len(opened) > _OPEN:
                closed.append(_identities(opened[0]))
                _close(opened.popleft())
    finally:
        for descriptors in opened:
            _close(descriptors)


def _open_each(paths: Sequence[str], directories: Sequence[int | None] | None = None) -> list[int]:
    descriptors: list[int] = []
    try:
        for path, directory in zip(paths, directories or [None] * len(paths)):
            descriptors.append(os.open(path, _DIRECTORY, dir_fd=directory))
    except OSError:
        _close(descriptors)
        raise
    return descriptors


def _open_above(directories: list[int], identities: list[tuple[int, int]]) -> list[int]:
    above = _open_each([".."] * len(directories), directories)
    if _identities(above) != identities:
        _close(above)
        raise OSError(errno.ESTALE, "a directory was moved while it was read")
    return above


def _identities(descriptors: list[int]) -> list[tuple[int, int]]:
    return [(status.st_dev, status.st_ino) for status in map(os.fstat, descriptors)]


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def empty_file(tree: str, relpath: str) -> None:
    """Replaces one file or link by an empty regular file, if the directory exists. Raises OSError."""
    parent, _slash, name = relpath.rpartition("/")
    remove_file(tree, relpath)
    with directory_beneath(tree, parent) as directory:
        if directory is not None:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.fchmod(descriptor, 0o444)
            os.close(descriptor)


def write_file(tree: str, relpath: str, content: bytes, mode: int = 0o644) -> None:
    """Replaces one file or link, and makes missing directories. Raises OSError, also for a link on the way."""
    *parents, name = relpath.split("/")
    directory = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for parent in parents:
            with suppress(FileExistsError):
                os.mkdir(parent, dir_fd=directory)
                os.chmod(parent, 0o755, dir_fd=directory)
            child = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.close(directory)
            directory = child
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
    finally:
        os.close(directory)


def is_file(tree: str, relpath: str) -> bool:
    """Whether the tree has a regular file at this path. Raises OSError, such as PermissionError."""
    with directory_beneath(tree, os.path.dirname(relpath)) as directory:
        try:
            return directory is not None and stat.S_ISREG(os.lstat(os.path.basename(relpath), dir_fd=directory).st_mode)
        except FileNotFoundError:
            return False


def has_python(tree: str) -> bool:
    """Whether the tree has usr/bin/python3, as a file or a link."""
    try:
        directory = open_beneath(tree, "usr/bin", os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        os.stat("python3", dir_fd=directory, follow_symlinks=False)
        return True
    except OSError:
        return False
    finally:
        os.close(directory)

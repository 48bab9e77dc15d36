# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: files in a tree, opened without following the tree's symbolic links. Names can change at any time.

from __future__ import annotations

import errno
import fnmatch
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import guarded, plain_text

# The path does not exist, or has another kind of entry.
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


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


def read_file(tree: str, relpath: str, limit: int) -> bytes | None:
    """The content of a regular file of at most `limit` bytes; None for any other entry, or none. Raises OSError, such as PermissionError."""
    try:
        handle = open_beneath(tree, relpath, os.O_PATH)
    except OSError as exc:
        if exc.errno in _MISSING:
            return None
        raise
    try:
        # Only a regular file is opened for reading: to open a FIFO can block, and to open a device can have effects.
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with open(f"/proc/self/fd/{handle}", "rb") as file:
            content = file.read(limit + 1)
    finally:
        os.close(handle)
    return content if len(content) <= limit else None


@contextmanager
def directory_beneath(tree: str, relpath: str) -> Iterator[int | None]:
    """A descriptor of a directory in the tree ('' is the tree itself); None if there is no directory. Raises OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = open_beneath(tree, relpath, flags) if relpath else os.open(tree, flags)
    except OSError as exc:
        if exc.errno not in _MISSING:
            raise
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove_files(tree: str, pattern: str) -> None:
    """Removes files and links that match, no directories. Only the last component of the pattern may be a glob. Raises OSError."""
    parent, _slash, glob = pattern.rpartition("/")
    with directory_beneath(tree, parent) as directory:
        if directory is None:
            return
        for name in os.listdir(directory):
            if fnmatch.fnmatchcase(name, glob) and not stat.S_ISDIR(os.lstat(name, dir_fd=directory).st_mode):
                os.unlink(name, dir_fd=directory)


def remove_file(tree: str, relpath: str) -> None:
    """Removes one file or link if it exists. Raises OSError."""
    parent, _slash, name = relpath.rpartition("/")
    with directory_beneath(tree, parent) as directory:
        if directory is not None:
            with suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(name, dir_fd=directory)


def find(tree: str, *tests: str) -> list[str]:
    """Relative paths of the entries that match these tests of find(1), also of paths that are too long to open. Raises RunnerError."""
    # Only a module has run_command. pylint: disable-next=ansible-bad-function
    done = subprocess.run(guarded(["find", "-P", tree, *tests, "-printf", "%P\\0"]), capture_output=True, check=False)
    if done.returncode != 0:
        raise RunnerError(f"{tree} cannot be read", output=[plain_text(line) for line in done.stderr.splitlines()[:5]])
    return os.fsdecode(done.stdout).split("\0")[:-1]


def empty_file(tree: str, relpath: str) -> None:
    """Replaces one file or link by an empty regular file, if the directory exists. Raises OSError."""
    parent, _slash, name = relpath.rpartition("/")
    remove_file(tree, relpath)
    with directory_beneath(tree, parent) as directory:
        if directory is not None:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.fchmod(descriptor, 0o444)
            os.close(descriptor)


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

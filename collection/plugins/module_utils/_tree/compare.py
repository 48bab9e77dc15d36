# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: comparison of a staged tree with the published one. Names can change at any time.

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import system_error
from ansible_collections.nspawn.runner.plugins.module_utils._spec.ignored import IGNORED, IGNORED_FILES, IGNORED_NAMES
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_CHUNK = 1 << 20
_IGNORED = tuple(f"{path}/" for path in IGNORED)
_IGNORED_FILES = tuple(f"{path}/" for path in IGNORED_FILES)
_IGNORED_NAMES = frozenset(IGNORED_NAMES)


class Moment(NamedTuple):
    """The time at which a staged tree was complete."""

    # Nanoseconds since 1970, by the clock that stamps the files.
    change_time: int
    # Seconds, see clock_offset().
    offset: float


def clock_offset() -> float:
    """Seconds from the monotonic clock to the clock of the date. The difference of two offsets is the time by which the date was set."""
    return time.time() - time.monotonic()


def difference(staged: str, published: str, since: Moment) -> str | None:
    """A path at which the trees differ; None if they are equal but for ignored paths. Raises RunnerError.

    `since`: the time at which the staged tree was a copy of the published one. Older entries are not compared.
    """
    try:
        return _difference(staged, published, since)
    except OSError as exc:
        raise system_error(exc, f"{staged} cannot be compared with {published}") from exc


def _difference(staged: str, published: str, since: Moment) -> str | None:
    for path in IGNORED:
        with _both(staged, published, path) as (directories, name):
            if not _same_ignored(directories, name):
                return path
    work = _touched(staged, since)
    seen = set(work)
    # The loop appends to this list.
    for path in work:
        with _both(staged, published, path) as (directories, name):
            if path.startswith(_IGNORED_FILES) and not stat.S_ISDIR(os.lstat(name, dir_fd=directories[0]).st_mode):
                continue
            if len(directories) != 2 or not _same_entry(directories, name):
                return path or "."
            if not stat.S_ISDIR(os.lstat(name, dir_fd=directories[0]).st_mode):
                continue
            staged_names, published_names = (set(_names(directory, name, path)) for directory in directories)
        if staged_names != published_names:
            return os.path.join(path, min(staged_names ^ published_names))
        # A directory that was renamed, perhaps to the name of another one, holds files with unchanged time stamps.
        if path and os.path.dirname(path) in seen:
            below = {os.path.join(path, entry) for entry in staged_names} - seen
            seen |= below
            work += sorted(below)
    return None


def _touched(staged: str, since: Moment) -> list[str]:
    """Paths of the entries that were made, changed or renamed since, each directory before its entries."""
    set_by = abs(clock_offset() - since.offset)
    if set_by > 1:
        # The clock was set: time stamps do not tell the order of changes.
        tests = ["-true"]
    else:
        # find looks for later stamps, and a change within the same tick of the clock has an equal stamp.
        after = since.change_time - int(set_by * 1e9) - 1
        tests = ["-newerct", f"@{after // 10**9}.{after % 10**9:09d}"]
    return sorted(path for path in beneath.find(staged, "-xdev", *tests) if not _is_ignored(path))


def _is_ignored(path: str) -> bool:
    return not _IGNORED_NAMES.isdisjoint(path.split("/")) or f"{path}/".startswith(_IGNORED)


@contextmanager
def _both(staged: str, published: str, path: str) -> Iterator[tuple[list[int], str]]:
    """Descriptors of the path's parent directory in each tree that has this directory, and the last component of the path."""
    parent, _slash, name = path.rpartition("/")
    with ExitStack() as stack:
        descriptors = []
        for tree in (staged, published):
            try:
                flags = _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = beneath.open_beneath(tree, parent, _DIRECTORY) if parent else os.open(tree, flags)
            except OSError as exc:
                if exc.errno not in _MISSING:
                    raise
                continue
            stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
        yield descriptors, name or "."


def _same_ignored(directories: list[int], name: str) -> bool:
    """Whether an ignored directory that both trees have has the same owner, mode and attributes: these are not ignored."""
    modes = [status.st_mode for status in (_status(directory, name) for directory in directories) if status]
    return len(modes) != 2 or not all(map(stat.S_ISDIR, modes)) or _same_entry(directories, name)


def _status(directory: int, name: str) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return None


def _same_entry(directories: list[int], name: str) -> bool:
    one, other = (_status(directory, name) for directory in directories)
    if one is None or other is None or _metadata(one) != _metadata(other):
        return False
    if stat.S_ISLNK(one.st_mode) and len({os.readlink(name, dir_fd=directory) for directory in directories}) != 1:
        return False
    one_attributes, other_attributes = (_attributes(directory, name) for directory in directories)
    return one_attributes == other_attributes and (not stat.S_ISREG(one.st_mode) or _same_content(directories, name))


def _metadata(status: os.stat_result) -> tuple[int, ...]:
    common = (status.st_mode, status.st_uid, status.st_gid)
    # Size, links and time of a directory change with its entries.
    return common if stat.S_ISDIR(status.st_mode) else (*common, status.st_rdev, status.st_size, status.st_nlink, status.st_mtime_ns)


def _attributes(directory: int, name: str) -> dict[str, bytes]:
    """Extended attributes, including capabilities and access lists."""
    path = f"/proc/self/fd/{directory}/{name}"
    try:
        return {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}
    except OSError as exc:
        if exc.errno == errno.ENOTSUP:
            return {}
        raise


def _same_content(directories: list[int], name: str) -> bool:
    with ExitStack() as stack:
        # O_NONBLOCK: the file may have been replaced by a FIFO since.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        one, other = (stack.enter_context(os.fdopen(os.open(name, flags, dir_fd=directory), "rb", buffering=0)) for directory in directories)
        while True:
            one_block, other_block = one.read(_CHUNK), other.read(_CHUNK)
            if one_block != other_block:
                return False
            if not one_block:
                return True


def _names(directory: int, name: str, path: str) -> Iterator[str]:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    any_file = not f"{path}/".startswith(_IGNORED_FILES)
    try:
        with os.scandir(descriptor) as entries:
            names = [entry.name for entry in entries if any_file or entry.is_dir(follow_symlinks=False)]
    finally:
        os.close(descriptor)
    return (entry for entry in names if not _is_ignored(os.path.join(path, entry)))

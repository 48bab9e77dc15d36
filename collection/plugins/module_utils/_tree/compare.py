# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: whether a maintenance changed anything that counts. Names can change at any time.

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

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_CHUNK = 1 << 20
_IGNORED = tuple(f"{path}/" for path in IGNORED)
_IGNORED_FILES = tuple(f"{path}/" for path in IGNORED_FILES)
_IGNORED_NAMES = frozenset(IGNORED_NAMES)


class Moment(NamedTuple):
    """When the staged tree was complete."""

    # In nanoseconds, by the clock that stamps the files.
    change_time: int
    # Between the clock that can be set and the one that cannot.
    offset: float


def clock_offset() -> float:
    return time.time() - time.monotonic()


def difference(staged: str, published: str, since: Moment) -> str | None:
    """A path that is not the same in both trees; None when nothing that counts changed since the staged one was made of the other."""
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
    # It grows while it is gone through.
    for path in work:
        with _both(staged, published, path) as (directories, name):
            if path.startswith(_IGNORED_FILES) and not stat.S_ISDIR(os.lstat(name, dir_fd=directories[0]).st_mode):
                continue
            if len(directories) != 2 or not _same_entry(directories, name):
                return path or "."
            if not stat.S_ISDIR(os.lstat(name, dir_fd=directories[0]).st_mode):
                continue
            here, there = (set(_names(directory, name, path)) for directory in directories)
        if here != there:
            return os.path.join(path, min(here ^ there))
        # A directory that was renamed, perhaps to the name of another, holds files that nobody touched.
        if path and os.path.dirname(path) in seen:
            below = {os.path.join(path, entry) for entry in here} - seen
            seen |= below
            work += sorted(below)
    return None


def _touched(staged: str, since: Moment) -> list[str]:
    """What was made, changed or renamed since, each directory before what is in it."""
    set_by = abs(clock_offset() - since.offset)
    if set_by > 1:
        # What the file system's stamps say of before and after is worth nothing.
        tests = ["-true"]
    else:
        # find looks for what is later, and a change within the same tick of the clock is not.
        after = since.change_time - int(set_by * 1e9) - 1
        tests = ["-newerct", f"@{after // 10**9}.{after % 10**9:09d}"]
    return sorted(path for path in beneath.find(staged, "-xdev", *tests) if not _is_ignored(path))


def _is_ignored(path: str) -> bool:
    return not _IGNORED_NAMES.isdisjoint(path.split("/")) or f"{path}/".startswith(_IGNORED)


@contextmanager
def _both(staged: str, published: str, path: str) -> Iterator[tuple[list[int], str]]:
    """Descriptors of the directory that holds the path, of the trees that have it, and the path's name in it."""
    where, _slash, name = path.rpartition("/")
    with ExitStack() as stack:
        descriptors = []
        for tree in (staged, published):
            try:
                flags = _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = beneath.open_beneath(tree, where, _DIRECTORY) if where else os.open(tree, flags)
            except OSError as exc:
                if exc.errno not in _NOT_THERE:
                    raise
                continue
            stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
        yield descriptors, name or "."


def _same_ignored(directories: list[int], name: str) -> bool:
    """Of what is ignored, a directory that both have counts itself: somebody may have set its owner or mode."""
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
    here, there = (_attributes(directory, name) for directory in directories)
    return here == there and (not stat.S_ISREG(one.st_mode) or _same_content(directories, name))


def _metadata(status: os.stat_result) -> tuple[int, ...]:
    common = (status.st_mode, status.st_uid, status.st_gid)
    # Of a directory these tell what was in it.
    return common if stat.S_ISDIR(status.st_mode) else (*common, status.st_rdev, status.st_size, status.st_nlink, status.st_mtime_ns)


def _attributes(directory: int, name: str) -> dict[str, bytes]:
    """Extended attributes, among them capabilities and access lists."""
    path = f"/proc/self/fd/{directory}/{name}"
    try:
        return {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}
    except OSError as exc:
        if exc.errno == errno.ENOTSUP:
            return {}
        raise


def _same_content(directories: list[int], name: str) -> bool:
    with ExitStack() as stack:
        # What was a regular file a moment ago must not block.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        one, other = (stack.enter_context(os.fdopen(os.open(name, flags, dir_fd=directory), "rb", buffering=0)) for directory in directories)
        while True:
            here, there = one.read(_CHUNK), other.read(_CHUNK)
            if here != there:
                return False
            if not here:
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

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: comparison of a staged tree with the published one. Names can change at any time.

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import system_error
from ansible_collections.nspawn.runner.plugins.module_utils._spec.ignored import IGNORED, IGNORED_ANYWHERE, IGNORED_FILES
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_CHUNK = 1 << 20
# Bytes of files that one comparison reads, from each tree.
_READ = 16 << 30
# Characters of a path in a message.
_LONGEST = 4096
# Earlier than any change time, and later than any byte of a file.
_ALL, _END = -(1 << 63), (1 << 63) - 1
_IGNORED_FILES = tuple(f"{path}/" for path in IGNORED_FILES)
# Names that are ignored in each directory, and names that are ignored at the end of some paths.
_NAMES = frozenset(path for path in IGNORED_ANYWHERE if "/" not in path)
_BELOW = [(path.split("/")[:-1], path.rpartition("/")[2]) for path in IGNORED_ANYWHERE if "/" in path]
# Names of directories that exist for ignored entries, such as .ansible. With nothing else in them, they are ignored as well.
_HOLDERS = frozenset(parents[0] for parents, _name in _BELOW)

# The entries of a directory that are not ignored, from a descriptor and the components of the directory's path in the tree.
_Entries = Callable[[int, Sequence[str]], Iterator["os.DirEntry[str]"]]


class Moment(NamedTuple):
    """The time at which a staged tree was complete."""

    # Nanoseconds since 1970, by the clock that stamps the files.
    change_time: int
    # Seconds, see clock_offset().
    offset: float


def clock_offset() -> float:
    """Seconds from the monotonic clock to the clock of the date. The difference of two offsets is the time by which the date was set."""
    return time.time() - time.monotonic()


def difference(staged: str, published: str, since: Moment, ignored: Sequence[str] = ()) -> str | None:
    """A path at which the trees differ, of a long one the end; None if they are equal but for times and ignored paths. Raises RunnerError.

    `since`: the time at which the staged tree was a copy of the published one. Older entries are not compared.
    `ignored`: paths that are ignored beside those of the collection, relative to the tree.
    """
    try:
        path = _difference(staged, published, since, [*IGNORED, *ignored])
    except OSError as exc:
        raise system_error(exc, f"{staged} cannot be compared with {published}") from exc
    return path and path[-_LONGEST:]


def _difference(staged: str, published: str, since: Moment, ignored: Sequence[str]) -> str | None:
    for path in ignored:
        with _both(staged, published, path) as (directories, name):
            if not _same_ignored(directories, name):
                return path
    oldest, spend, counted = _oldest_change(since), _spender(), _counted(ignored)
    # Whether each directory on the way down is compared, and not only looked through for changed entries.
    compared: list[bool] = []
    names: list[str] = []
    try:
        for names, directories, enter in beneath.walk(staged, published):
            here = os.fstat(directories[0])
            depth = len(names)
            del compared[depth:]
            compared.append(compared[-2:] == [True, True] or here.st_ctime_ns >= oldest)
            if not names and compared[0] and not _same_entry(directories, ".", spend):
                return "."
            # A directory that was renamed, perhaps to the name of another one, holds entries with unchanged time stamps.
            after = _ALL if compared[-2:] == [True, True] else oldest
            for entry in counted(directories[0], names):
                status = entry.stat(follow_symlinks=False)
                if status.st_ctime_ns >= after and not _same_entry(directories, entry.name, spend):
                    return os.path.join(*names, entry.name)
                if stat.S_ISDIR(status.st_mode) and status.st_dev == here.st_dev:
                    enter(entry.name)
            if compared[-1] and (lone := _lone_entry(directories, names, counted)) is not None:
                return os.path.join(*names, lone)
    except beneath.TooLarge:
        # Trees that cannot be compared in bounded memory and time count as different.
        return os.path.join(".", *names)
    except OSError as exc:
        # The published tree has no such directory.
        if exc.errno not in _MISSING or not names:
            raise
        return os.path.join(*names)
    return None


def _oldest_change(since: Moment) -> int:
    """Nanoseconds since 1970 from which on a change time can be of a change after the copy."""
    set_by = abs(clock_offset() - since.offset)
    # If the clock was set, time stamps do not tell the order of changes. A change within the same tick of the clock has an equal stamp.
    return _ALL if set_by > 1 else since.change_time - int(set_by * 1e9)


def _spender() -> Callable[[int], None]:
    """A function that counts the bytes that one comparison reads. It raises TooLarge when they are more than _READ."""
    left = _READ

    def spend(size: int) -> None:
        nonlocal left
        left -= size
        if left < 0:
            raise beneath.TooLarge(f"more than {_READ} bytes were to be compared")

    return spend


def _counted(paths: Sequence[str]) -> _Entries:
    """A function for the entries that count when these paths are ignored, and those of each tree."""
    ignored_in: dict[str, set[str]] = {}
    for path in paths:
        above, _slash, name = path.rpartition("/")
        ignored_in.setdefault(above, set()).add(name)
    deepest = 2 + max(path.count("/") for path in (*paths, *IGNORED_FILES))

    def counted(directory: int, names: Sequence[str]) -> Iterator[os.DirEntry[str]]:
        # A path with more components than all ignored ones need not be complete.
        path = "/".join(names[:deepest])
        ignored = _NAMES | ignored_in.get(path, frozenset()) | _names_below(names)
        any_file = not f"{path}/".startswith(_IGNORED_FILES)
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name in ignored or not (any_file or entry.is_dir(follow_symlinks=False)):
                    continue
                if entry.name in _HOLDERS and _only_holds(directory, names, entry):
                    continue
                yield entry

    return counted


def _names_below(names: Sequence[str]) -> frozenset[str]:
    """The names that are ignored in a directory because of the last components of its path."""
    if _HOLDERS.isdisjoint(names):
        return frozenset()
    return frozenset(name for parents, name in _BELOW if len(parents) <= len(names) and all(map(_matches, reversed(parents), reversed(names))))


def _matches(component: str, name: str) -> bool:
    return component in ("*", name)


def _only_holds(directory: int, names: Sequence[str], entry: os.DirEntry[str]) -> bool:
    """Whether the entry is a directory with no other entries than ignored ones."""
    if not entry.is_dir(follow_symlinks=False):
        return False
    ignored = _NAMES | _names_below([*names, entry.name])
    descriptor = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        with os.scandir(descriptor) as entries:
            return all(below.name in ignored for below in entries)
    finally:
        os.close(descriptor)


def _lone_entry(directories: Sequence[int], names: Sequence[str], counted: _Entries) -> str | None:
    """The name of an entry that only one of the two directories has."""
    for one, other in (directories, directories[::-1]):
        for entry in counted(one, names):
            status = _status(other, entry.name)
            if status is None or stat.S_ISDIR(status.st_mode) != entry.is_dir(follow_symlinks=False):
                return entry.name
    return None


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
    return len(modes) != 2 or not all(map(stat.S_ISDIR, modes)) or _same_entry(directories, name, _spender())


def _status(directory: int, name: str) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return None


def _same_entry(directories: list[int], name: str, spend: Callable[[int], None]) -> bool:
    one, other = (_status(directory, name) for directory in directories)
    if one is None or other is None or _metadata(one) != _metadata(other):
        return False
    if stat.S_ISLNK(one.st_mode) and len({os.readlink(name, dir_fd=directory) for directory in directories}) != 1:
        return False
    one_attributes, other_attributes = (_attributes(directory, name) for directory in directories)
    return one_attributes == other_attributes and (not stat.S_ISREG(one.st_mode) or _same_content(directories, name, spend))


def _metadata(status: os.stat_result) -> tuple[int, ...]:
    common = (status.st_mode, status.st_uid, status.st_gid)
    # Size and links of a directory change with its entries. Times do not count: programs such as locale-gen write the same files again.
    return common if stat.S_ISDIR(status.st_mode) else (*common, status.st_rdev, status.st_size, status.st_nlink)


def _attributes(directory: int, name: str) -> dict[str, bytes]:
    """Extended attributes, including capabilities and access lists."""
    path = f"/proc/self/fd/{directory}/{name}"
    try:
        return {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}
    except OSError as exc:
        if exc.errno == errno.ENOTSUP:
            return {}
        raise


def _same_content(directories: list[int], name: str, spend: Callable[[int], None]) -> bool:
    """Whether two files of the same size have the same bytes. Where both files have a hole, nothing is read."""
    # O_NONBLOCK: the file may have been replaced by a FIFO since.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with ExitStack() as stack:
        files = []
        for directory in directories:
            files.append(os.open(name, flags, dir_fd=directory))
            stack.callback(os.close, files[-1])
        position = 0
        while (position := min(_next_data(file, position) for file in files)) < _END:
            spend(_CHUNK)
            one, other = (os.pread(file, _CHUNK, position) for file in files)
            if one != other:
                return False
            position += len(one)
        return True


def _next_data(file: int, position: int) -> int:
    """The first position with data, from `position` on; _END if only a hole follows, or the file ends."""
    try:
        return os.lseek(file, position, os.SEEK_DATA)
    except OSError as exc:
        if exc.errno == errno.ENXIO:
            return _END
        raise

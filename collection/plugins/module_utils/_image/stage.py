# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a private copy of the published tree, made by the fastest way of the file system. Names can change at any time.

from __future__ import annotations

import fcntl
import os
import stat
import tempfile

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, guarded, run
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import temporary_file
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use, mounts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.btrfs import SUBVOLUME_INODE, has_subvolumes
from ansible_collections.nspawn.runner.plugins.module_utils._tree.compare import Moment, clock_offset
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

_FICLONE = 0x40049409
_MEBIBYTE = 1 << 20
# The bind mount of the tree over itself hides mounts in the tree, so that cp copies the entries below them.
# cp gets relative paths: a tree's longest paths would be too long with the absolute path of the tree before them.
_COPY = 'mount --bind "$1" "$1" && cd "$2" && exec cp --archive --reflink="$3" --no-target-directory -- "$4" "$5"'
# The same for du, which would wait for ever for a silent FUSE server of a user.
_SIZE = 'mount --bind "$1" "$1" && exec du --summarize --one-file-system "$2" -- "$1"'


class _Full(Exception):
    """The disk is full."""


def stage_tree(place: Place, log: Log) -> tuple[str, Moment]:
    """Copies the published tree to the staged one; returns the method (snapshot, reflink, copy) and the time of completion.

    Raises Busy or RunnerError, and leaves no staged tree then.
    """
    try:
        _check(place)
        with in_use.only_read(place.path):
            method = copy_tree(place.path, place.staged)
        log(f"{place.path} was copied by {method}")
        return method, moment(place.state)
    except OSError as exc:
        raise system_error(exc, f"{place.path} cannot be copied", place.state) from exc


def copy_tree(source: str, target: str) -> str:
    """Copies a tree to a new path in the same file system, and returns the method. Raises OSError or RunnerError, and leaves no copy then."""
    state = os.path.dirname(target)
    try:
        try:
            return _copy(source, target)
        except BaseException:
            if os.path.lexists(target):
                remove_tree(target, wait=False)
            raise
    except _Full as exc:
        found = f"{source} cannot be copied: the file system of {state} is full, {_free(state)} MiB are free without the copy"
        raise RunnerError(found, "free more space there") from exc


def moment(state: str) -> Moment:
    """The present time, by the clock of the state directory's file system."""
    with temporary_file(state) as descriptor:
        return Moment(os.fstat(descriptor).st_ctime_ns, clock_offset())


def make_directory(path: str) -> None:
    """Makes the directory of a new tree, mode 0755: a subvolume on btrfs. Raises OSError or RunnerError."""
    if not has_subvolumes(os.path.dirname(path)):
        os.mkdir(path, 0o755)
        return
    status, tail = run(["btrfs", "subvolume", "create", path])
    if status != 0:
        raise RunnerError(f"btrfs cannot make the subvolume {path}", output=tail)
    os.chmod(path, 0o755)


def _check(place: Place) -> None:
    try:
        mode = os.lstat(place.path).st_mode
    except FileNotFoundError:
        raise RunnerError(f"{place.path} cannot be copied: it does not exist", "create the image first") from None
    if not stat.S_ISDIR(mode):
        raise RunnerError(f"{place.path} cannot be copied: it is not a directory", "put a directory in its place")
    holder = mounts.mount_point(place.path)
    if os.path.realpath(place.path) == holder:
        raise RunnerError(f"{place.path} is a mount point, and cannot be exchanged for a copy", "move the tree into the root directory's own file system")
    if holder != mounts.mount_point(place.state):
        found = f"{place.state} is on another file system than {place.path}, and trees cannot be renamed from one to the other"
        raise RunnerError(found, "put both on one file system")
    if os.path.lexists(place.staged):
        raise RunnerError(f"{place.staged} exists, left by another run", "remove it")


def _copy(source: str, target: str) -> str:
    state = os.path.dirname(target)
    if _is_lone_subvolume(source, state):
        status, tail = run(["btrfs", "subvolume", "snapshot", source, target])
        if status != 0:
            raise RunnerError(f"btrfs cannot make a snapshot of {source}", output=tail)
        return "snapshot"
    method = "reflink" if shares_extents(state) else "copy"
    if method == "copy":
        _check_space(source, state)
    make_directory(target)
    reflink = "auto" if method == "reflink" else "never"
    names = [os.path.relpath(source, state), os.path.basename(target)]
    status, tail = run(guarded(["/bin/sh", "-c", _COPY, "sh", source, state, reflink, *names]), log=_stop_when_full)
    if status != 0:
        raise RunnerError(f"{source} cannot be copied", output=tail)
    return method


def _is_lone_subvolume(tree: str, state: str) -> bool:
    """Whether the tree is a subvolume without further subvolumes, of which a snapshot would have empty directories."""
    if os.lstat(tree).st_ino != SUBVOLUME_INODE or not has_subvolumes(state):
        return False
    status, tail = run(["btrfs", "subvolume", "list", "-o", tree])
    return status == 0 and not tail


def shares_extents(state: str) -> bool:
    """Whether files in this directory can share their blocks (FICLONE), as on btrfs and xfs."""
    with tempfile.TemporaryFile(dir=state) as source, tempfile.TemporaryFile(dir=state) as target:
        source.write(b"x" * 4096)
        source.flush()
        try:
            fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
    return True


def _check_space(tree: str, state: str) -> None:
    space = os.statvfs(state)
    # The whole file system is an upper limit for the tree, and known at once.
    size, count = (space.f_blocks - space.f_bfree) * space.f_frsize, space.f_files - space.f_ffree
    if needed(size) > space.f_bavail * space.f_frsize or (space.f_files and count > space.f_favail):
        size, count = used(tree, "--block-size=1"), used(tree, "--inodes")
    if needed(size) > space.f_bavail * space.f_frsize:
        found = f"{tree} cannot be copied: the copy needs {needed(size) // _MEBIBYTE} MiB"
        raise RunnerError(f"{found}, and the file system of {state} has {_free(state)} MiB free", "free more space there")
    if space.f_files and count > space.f_favail:
        found = f"{tree} cannot be copied: the copy needs {count} inodes, and the file system of {state} has {space.f_favail} free"
        raise RunnerError(found, "remove files there")


def needed(size: int) -> int:
    """Bytes of free space for the copy of a tree of `size` bytes."""
    # A copy's directories and extent lists can be larger than the original's, and the run writes a log and a record as well.
    return size + size // 50 + 16 * _MEBIBYTE


def used(tree: str, unit: str) -> int:
    """du's total for a tree in this unit: --block-size=1 for allocated bytes, --inodes. Raises RunnerError."""
    status, tail = run(guarded(["/bin/sh", "-c", _SIZE, "sh", tree, unit]))
    if status != 0 or not tail:
        raise RunnerError(f"{tree} cannot be read", output=tail)
    return int(tail[-1].split("\t")[0])


def _free(path: str) -> int:
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize // _MEBIBYTE


def _stop_when_full(line: str) -> None:
    # cp would continue with the next file.
    if line.endswith((": No space left on device", ": Disk quota exceeded")):
        raise _Full

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: users of a tree: containers, processes and mounts. Names can change at any time.

from __future__ import annotations

import fcntl
import os
import re
import struct
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError

LOCKS = "/run/systemd/nspawn/locks"
# Seconds. A container that ends locks the file exclusively for a moment, to remove it. A killed container ends after a delay.
_PATIENCE = 0.5


class Mount(NamedTuple):
    """A line of mountinfo (proc(5))."""

    device: str
    # Directory in the file system of the device.
    source: str
    # Directory on which it is mounted.
    point: str
    # With the kernel's octal escapes: a comma of a path is \054, a comma between two options is not escaped.
    options: str


@contextmanager
def unused(tree: str, overlays: Collection[str] = (), published: str | None = None) -> Iterator[None]:
    """Raises Busy for a tree that is in use, and RunnerError for one with mounts; no systemd-nspawn starts in the tree during the body.

    `overlays`: the overlay mounts that were made when the tree was at the path `published`, and still name this path (see overlay_mounts).
    """
    tree = _as_kernel(tree)
    status = os.lstat(tree)
    with _nspawn_lock(lock_file(status), tree):
        _check_lock_beside(tree)
        refuse_mounts(tree)
        _check_processes(tree, (status.st_dev, status.st_ino))
        _check_mounts(tree)
        if published:
            mounts = [mount for mount in _overlays(published) if _identity(mount) in overlays]
            if mounts:
                raise _busy(tree, f"the mount {mounts[0].point}, made when the tree was at {published}")
        yield


@contextmanager
def only_read(tree: str) -> Iterator[None]:
    """Raises Busy for a tree that a container may write to; no such container starts during the body. Containers that only read may."""
    tree = _as_kernel(tree)
    beside = lock_beside(tree)
    with ExitStack() as locks:
        locks.enter_context(_nspawn_lock(lock_file(os.lstat(tree)), tree, fcntl.F_RDLCK))
        if os.path.lexists(beside):
            locks.enter_context(_nspawn_lock(beside, tree, fcntl.F_RDLCK))
        yield


def refuse_mounts(tree: str) -> None:
    """Raises RunnerError for a directory that is a mount point or has mount points beneath it."""
    tree = _as_kernel(tree)
    beneath = [mount.point for mount in _mounts("self") if _beneath(mount.point, tree)]
    if beneath:
        raise RunnerError(f"{tree} has mounts beneath it", f"run umount {' '.join(reversed(beneath))}")


def mount_point(path: str) -> str:
    """The mount point of the path's file system."""
    path = _as_kernel(path)
    return max((mount.point for mount in _mounts("self") if _beneath(path, mount.point.rstrip("/"))), key=len)


def overlay_mounts(tree: str) -> list[str]:
    """Texts that identify the overlay mounts, in any mount namespace, with the tree's path as a layer."""
    return sorted({_identity(mount) for mount in _overlays(tree)})


def _identity(mount: Mount) -> str:
    # The kernel reuses a device number at once, so consecutive jobs have the same one. Their upper directories differ.
    return f"{mount.device} {_plain(mount.options)}"


def lock_file(status: os.stat_result) -> str:
    """The lock file of systemd-nspawn for a directory, given by status, under any path."""
    return f"{LOCKS}/inode-{status.st_dev}:{status.st_ino}"


def _as_kernel(path: str) -> str:
    """The path as /proc shows it: no symbolic links above the last component."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _busy(tree: str, by: str) -> Busy:
    return Busy(f"{tree} is in use by {by}", "wait until it ends")


@contextmanager
def _nspawn_lock(path: str, tree: str, kind: int = fcntl.F_WRLCK) -> Iterator[None]:
    """Holds the lock that systemd-nspawn takes on the tree, exclusive or shared (F_RDLCK), for the body. Raises Busy after _PATIENCE."""
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    deadline = time.monotonic() + _PATIENCE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        locked = _try_lock(descriptor, kind)
        if locked and os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)
        if not locked:
            if time.monotonic() >= deadline:
                raise _busy(tree, "a container of systemd-nspawn")
            time.sleep(0.01)
    try:
        yield
    finally:
        # As systemd-nspawn does. A shared holder would need the exclusive lock to remove the file, and a job starting then would be refused.
        if kind == fcntl.F_WRLCK:
            with suppress(FileNotFoundError):
                os.unlink(path)
        os.close(descriptor)


def lock_beside(tree: str) -> str:
    """The lock file of systemd-nspawn for a path, whichever directory is at the path."""
    return os.path.join(os.path.dirname(tree), f".#{os.path.basename(tree)}.lck")


def _check_lock_beside(tree: str) -> None:
    path = lock_beside(tree)
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not _try_lock(descriptor):
                raise _busy(tree, f"the process that holds the lock {path}")
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int, kind: int = fcntl.F_WRLCK) -> bool:
    # struct flock: type, whence, start, length, pid. systemd-nspawn uses locks of the open file (F_OFD_SETLK), not of the process.
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def processes() -> Iterator[str]:
    """Ids of all processes."""
    return (pid for pid in os.listdir("/proc") if pid.isdigit())


def _check_processes(tree: str, identity: tuple[int, int]) -> None:
    for pid in processes():
        # A process can end at any moment.
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if _is_inside(pid, tree, identity):
                with open(f"/proc/{pid}/comm", "rb") as file:
                    name = re.sub(r"[^ -~]", "?", file.read().decode(errors="replace").strip())
                raise _busy(tree, f"process {pid} ({name})")


def _is_inside(pid: str, tree: str, identity: tuple[int, int]) -> bool:
    links = [f"/proc/{pid}/{name}" for name in ("root", "cwd", "exe")]
    links += [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")]
    for link in links:
        with suppress(FileNotFoundError):
            target = os.readlink(link)
            if target == tree or target.startswith(f"{tree}/"):
                return True
    # In another mount namespace the tree has another path.
    for link in links[:2]:
        with suppress(FileNotFoundError):
            status = os.stat(link)
            if (status.st_dev, status.st_ino) == identity:
                return True
    return False


def _check_mounts(tree: str) -> None:
    """Raises Busy for a tree that is mounted, or is a layer of an overlay, in any mount namespace."""
    within = _path_in_file_system(tree)
    for pid, mount in _all_mounts():
        is_tree = within and mount.device == within[0] and _beneath(mount.source, within[1])
        if is_tree or any(_beneath(layer, tree) for layer in _layers(mount.options)):
            raise _busy(tree, f"the mount {mount.point} that process {pid} sees")


def _overlays(tree: str) -> Iterator[Mount]:
    tree = _as_kernel(tree)
    return (mount for _pid, mount in _all_mounts() if any(_beneath(layer, tree) for layer in _layers(mount.options)))


def _all_mounts() -> Iterator[tuple[str, Mount]]:
    """The mounts of all mount namespaces, each with the id of a process in the namespace."""
    seen: set[str] = set()
    for pid in processes():
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError, OSError):
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
            if namespace in seen:
                continue
            mounts = list(_mounts(pid))
            seen.add(namespace)
            yield from ((pid, mount) for mount in mounts)


def _beneath(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _path_in_file_system(tree: str) -> tuple[str, str] | None:
    """Device and source that mountinfo would show for a bind mount of the tree."""
    holding = [mount for mount in _mounts("self") if _beneath(tree, mount.point.rstrip("/"))]
    if not holding:
        return None
    mount = max(holding, key=lambda mount: len(mount.point))
    return mount.device, mount.source.rstrip("/") + tree.removeprefix(mount.point.rstrip("/"))


def _layers(options: str) -> Iterator[str]:
    for option in options.split(","):
        key, _equals, value = option.partition("=")
        if key.rstrip("+") in ("lowerdir", "upperdir", "workdir", "datadir"):
            for layer in re.split(r"(?<!\\):", _plain(value)):
                yield os.path.realpath(re.sub(r"\\(.)", r"\1", layer)) if layer else ""


def _mounts(pid: str) -> Iterator[Mount]:
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _dash, after = line.rstrip("\n").partition(" - ")
            fields = before.split(" ")
            yield Mount(fields[2], _plain(fields[3]), _plain(fields[4]), after.split(" ")[-1])


def _plain(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: waits for a moment in which no container starts on a tree. Names can change at any time.

# systemd-nspawn locks the tree, and then uses the path several times until the tree is the container's root directory.
# If another tree takes the path meanwhile, the container fails: "Failed to move root directory: Invalid argument".

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import stat_fields
from ansible_collections.nspawn.runner.plugins.module_utils._tree.in_use import lock_beside, lock_file
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mounts import Place, mounts, place_of, processes

# Seconds.
PATIENCE = 60
_PAUSE = 0.005


@contextmanager
def quiet(tree: str, patience: float = PATIENCE) -> Iterator[None]:
    """Waits for a moment in which no container starts on the tree, and runs the body in it, which must be one short step.

    `patience`: seconds. Raises Busy when they have passed.
    """
    try:
        # Both: a systemd-nspawn that opened the path before the last exchange holds the lock of the directory that had the path then.
        locks = [lock_file(os.lstat(tree)), lock_beside(tree)]
    except FileNotFoundError:
        yield
        return
    end = time.monotonic() + patience
    while True:
        before = _held(locks)
        starting = _starting(locks)
        with _real_time():
            # The holders differ if a container started while the processes were read.
            if starting is None and _held(locks) == before:
                yield
                return
        if time.monotonic() > end:
            last = f" (last: process {starting})" if starting else ""
            raise Busy(f"containers kept starting on {tree} for {patience:g} s{last}, so it was not replaced", "try again later")
        time.sleep(_PAUSE)


@contextmanager
def _real_time() -> Iterator[None]:
    """Real-time priority: on a busy host, a container could start in the milliseconds for which another process has the processor."""
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    # Some hosts refuse real-time priority to root. There the moment can be missed.
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, policy, parameter)


def _lock_ids(locks: Iterable[str]) -> set[str]:
    """The existing ones of these files, as the kernel names a locked file: device and inode. No other file has the same name there."""
    found = set()
    for lock in locks:
        with suppress(FileNotFoundError):
            major, minor = map(int, place_of(lock).device.split(":"))
            found.add(f"{major:02x}:{minor:02x}:{os.stat(lock, follow_symlinks=False).st_ino}")
    return found


def _held(locks: Iterable[str]) -> list[str]:
    """The lines of /proc/locks about these files."""
    with open("/proc/locks", encoding="ascii") as file:
        return _about(_lock_ids(locks), file)


def _about(ids: set[str], lines: Iterable[str]) -> list[str]:
    return [line for line in lines if ids.intersection(line.split())] if ids else []


def _starting(locks: Iterable[str]) -> str | None:
    """Id of a systemd-nspawn that holds a lock and has no process in the container yet; None if there is none."""
    ids = _lock_ids(locks)
    holders = {pid for pid in processes() if _is_nspawn(pid) and _holds(pid, ids)} if ids else set()
    if not holders:
        return None
    host = _root("self")
    # A container's first process is a child of the holder, or a fork with the lock's file open until its first exec.
    for pid, parent in _with_parents(processes()):
        if parent in holders or pid in holders:
            root = _root(pid)
            if root is not None and root != host:
                holders -= {pid, parent}
    return min(holders, default=None)


def _is_nspawn(pid: str) -> bool:
    with suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("systemd-nspawn")
    return False


def _holds(pid: str, ids: set[str]) -> bool:
    """Whether the process has one of these files open and locked. A name of the file would prove nothing: each user can choose names."""
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fdinfo"):
            with suppress(OSError), open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii", errors="replace") as file:
                if _about(ids, (line for line in file if line.startswith("lock:"))):
                    return True
    return False


def _with_parents(pids: Iterable[str]) -> Iterable[tuple[str, str]]:
    for pid in pids:
        with suppress(OSError):
            yield pid, stat_fields(pid)[1].decode()


def _root(pid: str) -> Place | None:
    """The root directory of a process, from the mount table: stat(2) would wait for a FUSE server that does not answer."""
    with suppress(OSError):
        # None of these mounts: the root directory was changed by chroot(2) alone.
        return next((mount.root for mount in reversed([*mounts(pid)]) if mount.point == "/"), Place("", ""))
    return None

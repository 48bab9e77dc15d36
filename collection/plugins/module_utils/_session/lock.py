# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the locks of an image and of a tree, held by one run at a time. Names can change at any time.

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._session import client

LOCK_FILE = "lock"
# Lock files of this process: (path, process id). A fork does not hold the locks of its parent.
_held: set[tuple[str, int]] = set()


@contextmanager
def image_lock(state: str, purpose: str) -> Iterator[None]:
    """Holds the lock of the image with this state directory. A process that holds the lock can take it again.

    `purpose`: a word for the message that another run gets, such as 'creation'. Raises Busy or RunnerError.
    """
    path = os.path.join(state, LOCK_FILE)
    key = (path, os.getpid())
    if key in _held:
        yield
        return
    descriptor = _take(path, purpose)
    _held.add(key)
    try:
        yield
    finally:
        _held.discard(key)
        os.close(descriptor)


def _take(path: str, purpose: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise _removed(path) from None
    except OSError as exc:
        raise system_error(exc, f"the lock {path} cannot be opened") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunnerError(f"the lock {path} is not a regular file", "remove it")
    if not _locked(descriptor):
        root, image = os.path.split(os.path.dirname(path))
        # An idle session gives up the image.
        client.end(os.path.join(os.path.realpath(os.path.dirname(root)), image), only_idle=True)
        if not _locked(descriptor):
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Busy(f"image {image} is locked by another run (process {holder})", "wait until it ends")
    # The removal of an image removes the lock too.
    if not os.path.exists(path) or not os.path.samestat(os.lstat(path), os.fstat(descriptor)):
        os.close(descriptor)
        raise _removed(path)
    # The text is for the message that another run gets. A full disk, where it cannot be written, is no reason to stop.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}, {purpose}\n".encode())
    return descriptor


def _removed(path: str) -> Busy:
    return Busy(f"image {os.path.basename(os.path.dirname(path))} has just been removed by another run", "run the same again to make it anew")


@contextmanager
def tree_lock(tree: str, state: str | None) -> Iterator[None]:
    """Holds the lock that the wrapper takes on a tree for one command, before it checks the tree. Raises Busy.

    `state`: the image's private directory, for a tree in this directory; None for a published tree, or a tree of no image.
    """
    # Not the tree itself: each user of the host can lock a directory that he can read.
    status = os.lstat(tree)
    path = state or os.path.join(client.RUN_DIRECTORY, f"tree-{status.st_dev}:{status.st_ino}")
    if not state:
        os.makedirs(client.RUN_DIRECTORY, mode=0o700, exist_ok=True)
    descriptor = _tree_descriptor(path, os.O_RDONLY if state else os.O_RDONLY | os.O_CREAT)
    if descriptor is None:
        raise Busy(f"the tree {tree} is in use by another command", "wait until it ends")
    try:
        yield
    finally:
        if not state:
            with suppress(FileNotFoundError):
                os.unlink(path)
        os.close(descriptor)


def remove_tree_lock(path: str) -> None:
    """Removes the file of a tree's lock unless a process holds the lock: the wrapper leaves the file when it is killed. Raises OSError."""
    descriptor = _tree_descriptor(path, os.O_RDONLY)
    if descriptor is not None:
        os.unlink(path)
        os.close(descriptor)


def _tree_descriptor(path: str, flags: int) -> int | None:
    """The file or directory, locked; None if another process holds the lock."""
    while True:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            return None
        # The holder before removes the file.
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

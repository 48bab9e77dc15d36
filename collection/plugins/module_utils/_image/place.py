# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the private directory of an image, and its lock. Names and layout can change at any time.

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils import _layout, _session_client

JOURNAL = "publishing.json"

# Lock files that this process holds: (path, process id). A fork does not hold what its parent locked.
_held: set[tuple[str, int]] = set()


class ChrootError(Exception):
    """What the user has to know, in one sentence."""


class Busy(ChrootError):
    """Another process holds the image."""


class Place(NamedTuple):
    """Where an image's tree and its private state are."""

    root: str
    image: str

    @property
    def path(self) -> str:
        """The published tree, which jobs use."""
        return os.path.join(self.root, self.image)

    @property
    def state(self) -> str:
        return state_path(self.root, self.image)

    @property
    def staged(self) -> str:
        """The tree that a creation or a maintenance works on."""
        return os.path.join(self.state, _layout.STAGED_DIRECTORY)

    @property
    def failed(self) -> str:
        return os.path.join(self.state, _layout.FAILED_DIRECTORY)

    @property
    def generations(self) -> str:
        return os.path.join(self.state, _layout.GENERATIONS_DIRECTORY)

    @property
    def journal(self) -> str:
        """There while a swap is under way, or was when its run was killed."""
        return os.path.join(self.state, JOURNAL)


def name_problem(name: str) -> str | None:
    """Why this is no image name, or None. An image's name is also a host name of Ansible's and of the container's."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        return "an image name has letters, digits, '.', '_' and '-' only, and begins with a letter, a digit or '_'"
    if len(name) > 64 or ".." in name or ".-" in name or "-." in name or name[-1] in ".-":
        return "an image name is a host name: at most 64 characters, each dot between letters, digits or '_'"
    return None


def state_path(root: str, image: str) -> str:
    return os.path.join(root, _layout.STATE_DIRECTORY, image)


def make_state(root: str, image: str) -> str:
    """Makes the root and the image's state directory where they are missing, private to root, and says where the latter is."""
    check_root(root)
    path = state_path(root, image)
    try:
        os.makedirs(os.path.dirname(root), exist_ok=True)
        for directory in (root, os.path.dirname(path), path):
            with suppress(FileExistsError):
                os.mkdir(directory, 0o700)
            _check_directory(directory)
            if directory != root:
                os.chmod(directory, 0o700)
    except OSError as exc:
        raise ChrootError(f"{path} cannot be made: {exc.strerror}") from exc
    if os.lstat(path).st_dev != os.lstat(root).st_dev:
        raise ChrootError(f"{path} is another file system than {root}: trees are built there and renamed into the root")
    return path


def check_root(root: str) -> None:
    """A root directory that exists must be root's own. One that does not exist can be made."""
    if not os.path.isabs(root) or os.path.normpath(root) != root or root == "/":
        raise ChrootError(f"the root directory '{root}' is not a plain absolute path")
    if os.path.lexists(root):
        _check_directory(root)


def _check_directory(path: str) -> None:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        raise ChrootError(f"{path} is a symbolic link: name the directory that it points to")
    if not stat.S_ISDIR(status.st_mode):
        raise ChrootError(f"{path} is not a directory")
    if status.st_uid != 0:
        raise ChrootError(f"{path} is owned by user {status.st_uid}, not by root: run chown root {path}")
    if status.st_mode & 0o022:
        raise ChrootError(f"{path} can be written by others than root: run chmod go-w {path}")


@contextmanager
def lock(state: str, purpose: str) -> Iterator[None]:
    """Holds the image for one purpose, such as 'creation'. Within a process it can be taken again by who holds it."""
    path = os.path.join(state, "lock")
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
    except OSError as exc:
        raise ChrootError(f"the lock {path} cannot be opened: {exc.strerror}") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ChrootError(f"the lock {path} is no regular file: remove it")
    if not _locked(descriptor):
        root, image = os.path.split(os.path.dirname(path))
        # A session that only waits for another run gives the image up.
        _session_client.end(os.path.join(os.path.realpath(os.path.dirname(root)), image), only_idle=True)
        if not _locked(descriptor):
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Busy(f"image {image} is in the hands of another run (process {holder}): wait until it ends")
    # Only for the message of the next: a full disk is no reason to go without.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}, {purpose}\n".encode())
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

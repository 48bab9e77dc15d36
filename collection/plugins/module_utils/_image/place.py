# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: paths of an image's tree and of the image's private state. Names and layout can change at any time.

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.writable import way
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout

JOURNAL = "publishing.json"


class Place(NamedTuple):
    """The paths of one image."""

    root: str
    image: str

    @property
    def path(self) -> str:
        """The published tree, which jobs use."""
        return os.path.join(self.root, self.image)

    @property
    def state(self) -> str:
        """The image's private directory."""
        return state_path(self.root, self.image)

    @property
    def staged(self) -> str:
        """The tree that a creation or a maintenance works on."""
        return os.path.join(self.state, layout.STAGED_DIRECTORY)

    @property
    def failed(self) -> str:
        """The staged tree of the last failed maintenance, if kept."""
        return os.path.join(self.state, layout.FAILED_DIRECTORY)

    @property
    def seed(self) -> str:
        """The tree of a creation before its playbook ran, until the first publish."""
        return os.path.join(self.state, layout.SEED_DIRECTORY)

    @property
    def generations(self) -> str:
        """The directory of earlier trees."""
        return os.path.join(self.state, layout.GENERATIONS_DIRECTORY)

    @property
    def shared(self) -> str:
        """The copy of the record for a group, where the image has one: in a directory beside the root directory, which holds no tree."""
        return os.path.join(f"{self.root}{layout.SHARED_SUFFIX}", f"{self.image}.json")

    @property
    def journal(self) -> str:
        """The journal of a swap, present from before the swap until the record is complete."""
        return os.path.join(self.state, JOURNAL)


def name_problem(name: str) -> str | None:
    """The rule that a name breaks, None for a valid name. An image's name is also a host name of Ansible and of the container."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        return "an image name has letters, digits, '.', '_' and '-' only, and begins with a letter, a digit or '_'"
    if len(name) > 64 or ".." in name or ".-" in name or "-." in name or name[-1] in ".-":
        return "an image name is a host name: at most 64 characters, each dot between letters, digits or '_'"
    return None


def state_path(root: str, image: str) -> str:
    """The image's private directory."""
    return os.path.join(root, layout.STATE_DIRECTORY, image)


def make_state(root: str, image: str) -> str:
    """Makes the root directory and the image's state directory, mode 0700, and returns the path of the latter. Raises RunnerError."""
    check_root(root)
    path = state_path(root, image)
    try:
        os.makedirs(os.path.dirname(root), exist_ok=True)
        # Again: in a directory such as /tmp, another user can have made a missing one.
        _check_above(root)
        for directory in (root, os.path.dirname(path), path):
            with suppress(FileExistsError):
                os.mkdir(directory, 0o700)
            _check_directory(directory)
            if directory != root:
                os.chmod(directory, 0o700)
    except OSError as exc:
        raise system_error(exc, f"{path} cannot be made") from exc
    if os.lstat(path).st_dev != os.lstat(root).st_dev:
        found = f"{path} is on another file system than {root}, and trees cannot be renamed from one to the other"
        raise RunnerError(found, "put both on one file system")
    return path


def make_shared(root: str) -> None:
    """Makes the directory of the records' copies, which all users can list. Raises RunnerError or OSError."""
    check_root(root)
    directory = f"{root}{layout.SHARED_SUFFIX}"
    with suppress(FileExistsError):
        os.mkdir(directory, 0o755)
        os.chmod(directory, 0o755)
    # In a directory such as /tmp, another user can have made it.
    _check_directory(directory)


def check_root(root: str) -> None:
    """Raises RunnerError for a path that is not absolute and plain, and for a directory that others than root own, can write or can replace."""
    if not os.path.isabs(root) or os.path.normpath(root) != root or root == "/":
        raise RunnerError(f"the root directory '{root}' is not a plain absolute path", "give a path that begins with /, without . and ..")
    _check_above(root)
    if os.path.lexists(root):
        _check_directory(root)


def _check_above(root: str) -> None:
    """Raises RunnerError if another user than root can replace one of the directories and links above the root directory."""
    for path, status in way(os.path.dirname(root)):
        if status.st_uid != 0:
            found = f"{root} is below {path}, which is owned by user {status.st_uid}, not by root"
            raise RunnerError(found, f"run chown root {path}, or choose another root directory")
        # In a sticky directory such as /tmp, only root can rename or remove root's entries.
        if not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
            found = f"{root} is below {path}, to which users other than root can write"
            raise RunnerError(found, f"run chmod go-w {path}, or choose another root directory")


def _check_directory(path: str) -> None:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        raise RunnerError(f"{path} is a symbolic link", "name the directory that it points to")
    if not stat.S_ISDIR(status.st_mode):
        raise RunnerError(f"{path} is not a directory", "remove it, or choose another root directory")
    if status.st_uid != 0:
        raise RunnerError(f"{path} is owned by user {status.st_uid}, not by root", f"run chown root {path}")
    if status.st_mode & 0o022:
        raise RunnerError(f"users other than root can write to {path}", f"run chmod go-w {path}")

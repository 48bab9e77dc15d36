# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the caches that outlive jobs. Names can change at any time.
#
# Each project of GitLab has a cache of its own, which all its jobs on this host share: a job of another project can neither read nor change it.
# Jobs can write all kinds of files there, also setuid ones: only root can enter the directory above.

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress

from ansible_collections.nspawn.runner.plugins.module_utils._job import settings, state
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import STATE_DIRECTORY
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath


def make(root: str, project: int | None) -> str:
    """The directory of a project's cache, which is made if it is missing. Raises OSError."""
    top = os.path.join(root, STATE_DIRECTORY, state.CACHES)
    path = os.path.join(top, "shared" if project is None else f"project-{project}")
    for directory in (os.path.dirname(top), top, path):
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)
    # For users of the container beside root.
    os.chmod(path, 0o777)
    return path


def shrink(root: str, limit: str) -> None:
    """Removes the files that were not used for the longest time from all caches, until they have at most this size together. Raises OSError."""
    top = os.path.join(root, STATE_DIRECTORY, state.CACHES)
    most = settings.size(limit)
    try:
        lock = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = sorted(_files(top))
        size = sum(entry[1] for entry in found)
        for _used, bytes_, path in found:
            if size <= most:
                break
            with suppress(OSError):
                beneath.remove_file(top, path)
                size -= bytes_
    except BlockingIOError:
        # Another call does the same.
        pass
    finally:
        os.close(lock)


def _files(top: str) -> Iterator[tuple[float, int, str]]:
    """All files: the time of the last use, the bytes on the disk, and the path below `top`. No link is followed."""
    for names, directories, enter in beneath.walk(top):
        with os.scandir(directories[0]) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    enter(entry.name)
                    continue
                status = os.lstat(entry.name, dir_fd=directories[0])
                yield max(status.st_atime, status.st_mtime), status.st_blocks * 512, "/".join([*names, entry.name])

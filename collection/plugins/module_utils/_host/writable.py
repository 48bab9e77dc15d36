# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: files that root trusts, and others can change. Names can change at any time.

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

# As many as the kernel follows on one way (path_resolution(7)).
_MOST_LINKS = 40


class Writable(NamedTuple):
    """A path that a user other than root can change."""

    found: str
    remedy: str
    # Whether every user of the host can.
    everyone: bool


def writable_by_others(paths: Iterable[str]) -> list[Writable]:
    """The existing ones of these paths, and the directories and links on the way to these, that users other than root and the caller of sudo can
    change. One look at each path: collections and roles have some thousands of files."""
    wanted: dict[str, os.stat_result] = {}
    above: dict[str, os.stat_result] = {}
    real: dict[str, str] = {}
    for path in paths:
        directory, name = os.path.split(os.path.abspath(path))
        # Without paths that do not exist, links that lead nowhere, and files that this user cannot read.
        with suppress(OSError):
            if directory not in real:
                above.update(way(directory))
                real[directory] = os.path.realpath(directory)
            place = os.path.join(real[directory], name)
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                os.stat(place)
                *before, (place, status) = way(place)
                above.update(before)
            wanted[place] = status
    trusted = {0, int(os.environ.get("SUDO_UID", 0))}
    found = {path: _writable(path, status, path not in wanted, trusted) for path, status in {**above, **wanted}.items()}
    return [writable for _path, writable in sorted(found.items()) if writable]


def way(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """The directories and symbolic links on the way from / to this path, and the target of the last link, as far as they exist."""
    here = "/"
    yield here, os.lstat(here)
    parts = path.split("/")[::-1]
    links = 0
    while parts and links < _MOST_LINKS:
        part = parts.pop()
        if part in ("", "."):
            continue
        above, here = here, os.path.normpath(os.path.join(here, part))
        try:
            status = os.lstat(here)
        except (FileNotFoundError, NotADirectoryError):
            return
        yield here, status
        if stat.S_ISLNK(status.st_mode):
            links += 1
            target = os.readlink(here)
            parts += target.split("/")[::-1]
            here = "/" if target.startswith("/") else above


def _writable(path: str, status: os.stat_result, above: bool, trusted: Container[int]) -> Writable | None:
    if status.st_uid not in trusted:
        return Writable(f"{path} is owned by user {status.st_uid}, not by root", f"run chown root {path}", False)
    # In a sticky directory such as /tmp only the owner of a file or a link can replace it. A link's own mode has no meaning.
    if status.st_mode & 0o022 and not (above and status.st_mode & stat.S_ISVTX) and not stat.S_ISLNK(status.st_mode):
        return Writable(f"users other than root can write to {path}", f"run chmod go-w {path}", bool(status.st_mode & 0o002))
    return None

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the directories and files of a tree on which binds are mounted. Names can change at any time.

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_mount_points(tree: str, arguments: Sequence[str]) -> None:
    """Makes the missing targets of the binds in these arguments of systemd-nspawn.

    systemd-nspawn 252 makes them too, but with mapped owners they belong to no user of the container. A target behind a link is left to
    systemd-nspawn. Raises OSError.
    """
    make(tree, targets(arguments))


def targets(arguments: Sequence[str]) -> list[tuple[str, bool]]:
    """The targets of the binds in these arguments, relative to the tree, each with whether it is a directory."""
    found = []
    for argument in arguments:
        flag, _equals, value = argument.partition("=")
        if flag in ("--bind", "--bind-ro"):
            paths = [path.replace("\\:", ":") for path in re.split(r"(?<!\\):", value)]
            found.append((os.path.normpath((paths + paths)[1]).lstrip("/"), os.path.isdir(paths[0])))
    return found


def make(tree: str, targets: Sequence[tuple[str, bool]]) -> None:
    """Makes these targets where they are missing. Raises OSError."""
    for target, is_directory in targets:
        # Also a link on the way.
        with suppress(NotADirectoryError):
            _make(tree, target.split("/") if target else [], is_directory)


def _make(tree: str, parts: Sequence[str], is_directory: bool) -> None:
    directory = os.open(tree, _DIRECTORY)
    try:
        for part in parts if is_directory else parts[:-1]:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=directory)
                os.chmod(part, 0o755, dir_fd=directory)
            child = os.open(part, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = child
        if parts and not is_directory:
            with suppress(FileExistsError):
                os.close(os.open(parts[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory))
    finally:
        os.close(directory)

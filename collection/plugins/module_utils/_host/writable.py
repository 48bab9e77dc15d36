# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: files that root trusts, and others can change. Names can change at any time.

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import NamedTuple


class Writable(NamedTuple):
    """A path that a user other than root can change."""

    found: str
    remedy: str
    # Whether every user of the host can.
    everyone: bool


def writable_by_others(paths: Iterable[str]) -> list[Writable]:
    """The existing ones of these paths, and the directories above them, that users other than root and the caller of sudo can change."""
    wanted = {os.path.realpath(path) for path in paths if os.path.exists(path)}
    above = {parent for path in wanted for parent in _parents(path)} - wanted
    return [found for path in sorted(wanted | above) for found in [_writable(path, path in above)] if found]


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:number]) or "/" for number in range(1, len(parts))]


def _writable(path: str, above: bool) -> Writable | None:
    status = os.stat(path)
    if status.st_uid not in (0, int(os.environ.get("SUDO_UID", 0))):
        return Writable(f"{path} is owned by user {status.st_uid}, not by root", f"run chown root {path}", False)
    # In a sticky directory such as /tmp only the owner of a file can replace the file.
    if status.st_mode & 0o022 and not (above and status.st_mode & stat.S_ISVTX):
        return Writable(f"users other than root can write to {path}", f"run chmod go-w {path}", bool(status.st_mode & 0o002))
    return None

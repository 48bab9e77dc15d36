# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: errors that a user has to see. Names can change at any time.

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible

_REMEDIES = {
    errno.EDQUOT: "raise the quota, or free some space there",
    errno.ENOSPC: "free some space there",
    errno.EROFS: "remount the file system read-write",
    # The collection follows no link in the private state, and none in a tree.
    errno.ELOOP: "remove this symbolic link",
    errno.EISDIR: "move this directory away",
    errno.ENOTDIR: "move the file away that is there in place of a directory",
}


class RunnerError(Exception):
    """An error for the user.

    `found`: the fact and the object, as a sentence without a full stop. `remedy`: an order such as "run apt install xz-utils";
    empty where none is known. `output`: the last lines of the program that failed. A file name of a tree in them is made visible.
    """

    def __init__(self, found: str, remedy: str = "", output: Sequence[str] = ()) -> None:
        super().__init__(found, remedy, output)
        self.found = visible(found)
        self.remedy = visible(remedy)
        self.output = [visible(line) for line in output]

    def __str__(self) -> str:
        sentence = f"{self.found}: {self.remedy}" if self.remedy else self.found
        return "\n".join([sentence, *self.output])

    def fields(self) -> dict[str, Any]:
        """The constructor's arguments, for JSON."""
        return {"found": self.found, "remedy": self.remedy, "output": list(self.output)}


class Busy(RunnerError):
    """Another process holds the image or the tree."""


def system_error(problem: OSError, failure: str = "", path: str = "") -> RunnerError:
    """The user's error for a failed system call: the failure, the file and the system's reason.

    `failure`: a sentence such as "/a cannot be read". `path`: the file to name where the OSError names none.
    """
    # An open() of a descriptor has the descriptor's number as the file name.
    file = path if problem.filename is None or isinstance(problem.filename, int) else os.fsdecode(problem.filename)
    # A file that the failure names is not named twice.
    parts = (failure, "" if f" {file} " in f" {failure} " else file, problem.strerror or str(problem))
    return RunnerError(": ".join(part for part in parts if part), _remedy(problem))


def _remedy(problem: OSError) -> str:
    # Root gets these errors as well, for example from NFS.
    if isinstance(problem, PermissionError) and os.geteuid() != 0:
        return "run Ansible as root"
    return _REMEDIES.get(problem.errno or 0, "")

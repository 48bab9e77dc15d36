# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: errors that a user has to see. Names can change at any time.

from __future__ import annotations

from collections.abc import Sequence


class RunnerError(Exception):
    """An error for the user, in one sentence: what was found, on what, and the remedy.

    `found`: the sentence, without a full stop. `remedy`: an order such as "run apt install xz-utils"; empty where none is known.
    `output`: the last lines of the program that failed.
    """

    def __init__(self, found: str, remedy: str = "", output: Sequence[str] = ()) -> None:
        super().__init__(found, remedy, output)
        self.found = found
        self.remedy = remedy
        self.output = output

    def __str__(self) -> str:
        sentence = f"{self.found}: {self.remedy}" if self.remedy else self.found
        return "\n".join([sentence, *self.output])


class Busy(RunnerError):
    """Another process holds the image or the tree."""

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: text that a tree or a program chose, for terminals, logs and messages. Names can change at any time.

from __future__ import annotations

import re
import unicodedata

# Characters of a line on the terminal.
LINE_LENGTH = 2000


def visible(text: str) -> str:
    """One line that no terminal obeys: control characters, line breaks and invisible characters, such as those that turn the direction of
    writing, appear as escapes such as \\x1b. Tabs and spaces stay."""
    return re.sub(r"[^\t\x20-\x7e]", _shown, text)


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


def visible_line(line: bytes) -> str:
    """A program's line for the terminal: visible, at most LINE_LENGTH characters, and only the last state of a progress line."""
    return visible(line.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode(errors="replace")[:LINE_LENGTH])

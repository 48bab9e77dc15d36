# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import unicodedata

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import LINE_LENGTH, visible, visible_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("plain text, gr\u00fcn, \u65e5\u672c, \U0001f600", "plain text, gr\u00fcn, \u65e5\u672c, \U0001f600", id="text"),
        pytest.param("a\tb\u00a0c\u202fd", "a\tb\u00a0c\u202fd", id="tabs and spaces stay"),
        pytest.param("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m", id="colours"),
        pytest.param("\x1b]0;title\x07", r"\x1b]0;title\x07", id="the title of a terminal"),
        pytest.param("bell\x07 back\x08 delete\x7f null\x00", r"bell\x07 back\x08 delete\x7f null\x00", id="control characters"),
        pytest.param("\x9b31m", r"\x9b31m", id="the 8-bit form of a control sequence"),
        pytest.param("a\nfatal: [aa]\r\n", r"a\nfatal: [aa]\r\n", id="line breaks"),
        pytest.param("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg", r"a\u2028b\u2029c\x85d\x0be\x0cf\x1cg", id="all that splitlines takes for a line break"),
        pytest.param("a\u202egpj.exe\u2066\u2069\u200f", r"a\u202egpj.exe\u2066\u2069\u200f", id="characters that turn the direction of writing"),
        pytest.param("a\u200bb\ufeff\u00ad\U000e0041", r"a\u200bb\ufeff\xad\U000e0041", id="invisible characters"),
        pytest.param(os.fsdecode(b"\xff"), r"\udcff", id="a file name that is not UTF-8"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_no_character_at_all_controls_a_terminal_or_breaks_a_line() -> None:
    everything = visible("".join(map(chr, range(0x110000))))
    assert {unicodedata.category(character) for character in everything if character != "\t"} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()
    assert len(everything.splitlines()) == 1
    everything.encode()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"done\r", "done", id="the carriage return of a CRLF line"),
        pytest.param(b" 10%\r 50%\r100%", "100%", id="the last state of a progress line"),
        pytest.param(b" 10%\r100%\r", "100%", id="a progress line that ends with a carriage return"),
        pytest.param(b"\x1b[2K100%", r"\x1b[2K100%", id="a control sequence"),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="bytes that are not UTF-8"),
        pytest.param(b"x" * (LINE_LENGTH + 1), "x" * LINE_LENGTH, id="too long"),
    ],
)
def test_visible_line(line: bytes, shown: str) -> None:
    assert visible_line(line) == shown


def test_an_error_shows_the_names_in_it() -> None:
    assert str(RunnerError("/a\nb is odd", "run rm /a\x1b[2J", ["c\nd"])) == "/a\\nb is odd: run rm /a\\x1b[2J\nc\\nd"
    assert str(system_error(OSError(5, "Input/output error", "/tree/a\nimage bb: fine"))) == r"/tree/a\nimage bb: fine: Input/output error"

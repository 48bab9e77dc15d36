# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import LINE_LENGTH, plain_text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"", ""),
        (b"plain", "plain"),
        (b"10%\r50%\r100%", "100%"),
        (b"100%\r", "100%"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"tab\tbell\x07", "tab\tbell"),
        ("gr\u00fcn".encode(), "gr\u00fcn"),
        (b"\xff", "\ufffd"),
    ],
)
def test_plain_text(line: bytes, shown: str) -> None:
    assert plain_text(line) == shown


def test_plain_text_is_bounded() -> None:
    assert plain_text(b"x" * (LINE_LENGTH + 1)) == "x" * LINE_LENGTH

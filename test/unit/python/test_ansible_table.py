# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

pytest.importorskip("ansible", reason="plugin_utils are for Ansible's plugins")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.table import table


@pytest.mark.parametrize(
    ("rows", "numbers", "lines"),
    [
        pytest.param([("image", "tasks"), ("trixie", "7")], 1, ["image   tasks", "trixie      7"], id="texts to the left, numbers to the right"),
        pytest.param([("a", "b"), ("ccc", "ddd")], 0, ["a    b  ", "ccc  ddd"], id="texts only"),
        pytest.param([("1", "10"), ("100", "2")], 2, ["  1  10", "100   2"], id="numbers only"),
        pytest.param([("a", "", "c"), ("", "bb", "")], 1, ["a      c", "   bb   "], id="empty cells"),
        pytest.param([("head",)], 0, ["head"], id="one row"),
    ],
)
def test_table(rows: list[tuple[str, ...]], numbers: int, lines: list[str]) -> None:
    assert table(rows, numbers) == lines

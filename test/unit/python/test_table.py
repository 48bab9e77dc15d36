# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

pytest.importorskip("ansible")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.table import table


def test_texts_are_aligned_to_the_left_and_numbers_to_the_right() -> None:
    assert table([("image", "tasks"), ("trixie", "7")], numbers=1) == ["image   tasks", "trixie      7"]

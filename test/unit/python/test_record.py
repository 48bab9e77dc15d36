# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._image.record import is_id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20260505T000000Z", True),
        ("20240229T235959Z", True),
        ("20260229T000000Z", False),
        ("20260505T240000Z", False),
        ("20260505T000000", False),
        ("20260505T000000Z\n", False),
        ("../20260505T000000Z", False),
        ("\u0662\u0660260505T000000Z", False),
        ("", False),
    ],
)
def test_is_id(name: str, expected: bool) -> None:
    assert is_id(name) is expected

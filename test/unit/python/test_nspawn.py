# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import host_name


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("img", "img"),
        ("debian-12.5", "debian-12.5"),
        ("a_b+c", "a-b-c"),
        ("two..dots", "two.dots"),
        ("-.img.-", "img"),
        ("\u00fc", "image"),
        ("", "image"),
        ("long" * 20, "long" * 16),
        ("a" * 63 + ".b", "a" * 63),
    ],
)
def test_host_name(image: str, name: str) -> None:
    assert host_name(image) == name

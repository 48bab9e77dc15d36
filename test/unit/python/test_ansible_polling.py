# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("ansible", reason="the interval is an option of Ansible's")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible import polling


@pytest.mark.parametrize(
    ("origin", "changed"),
    [("default", True), ("/etc/ansible/ansible.cfg", False), ("env: ANSIBLE_X", False)],
)
def test_a_choice_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch, origin: str, changed: bool) -> None:
    options: dict[str, Any] = {}
    monkeypatch.setattr(polling.C.config, "get_config_value_and_origin", lambda option: (0.001, origin))
    monkeypatch.setattr(polling.C, "set_constant", options.__setitem__)
    polling.poll_less()
    assert options == ({"DEFAULT_INTERNAL_POLL_INTERVAL": 0.01} if changed else {})

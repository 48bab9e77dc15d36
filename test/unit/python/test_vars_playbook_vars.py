# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("ansible", reason="a vars plugin is a plugin of Ansible's")

from ansible.inventory.group import Group
from ansible.inventory.host import Host

from ansible_collections.nspawn.runner.plugins.vars import playbook_vars


def _variables(monkeypatch: pytest.MonkeyPatch, name: str, group: str) -> tuple[dict[str, Any], list[str]]:
    warnings: list[str] = []
    module = playbook_vars.VarsModule()
    monkeypatch.setattr(module._display, "warning", warnings.append)
    host = Host(name)
    Group(group).add_host(host)
    return module.get_vars(None, "/inventory", [host]), warnings


@pytest.mark.parametrize("name", ["a/b", "../etc", "sid@ci1", "a b", "-x", "x" * 65, "a\nb", "sid.new"])
def test_a_host_whose_name_no_image_can_have_gets_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variables, warnings = _variables(monkeypatch, name, "nspawn_runner")
    assert [*variables] == ["nspawn_runner_error"]
    assert "no image can have the name" in variables["nspawn_runner_error"]
    assert "\n" not in variables["nspawn_runner_error"]
    assert warnings == [f"Host of group nspawn_runner: {variables['nspawn_runner_error']}"]


def test_a_host_of_another_group_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _variables(monkeypatch, "a/b", "others") == ({}, [])

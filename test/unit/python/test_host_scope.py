# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from module_os import replace_os_path

from ansible_collections.nspawn.runner.plugins.module_utils._host import scope
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("Delegate", "yes", ("Delegate", "b", (1,)), id="a switch"),
        pytest.param("TasksMax", "16384", ("TasksMax", "t", (16384,)), id="a number"),
        pytest.param("MemoryMax", "100%", ("MemoryMaxScale", "u", (0xFFFFFFFF,)), id="all of the memory"),
        pytest.param("MemoryMax", "50%", ("MemoryMaxScale", "u", (0x7FFFFFFF,)), id="half of the memory"),
        pytest.param("Slice", "a.slice", ("Slice", "s", ("a.slice",)), id="a word"),
    ],
)
def test_settings_of_a_unit_as_properties(name: str, value: str, expected: scope.Property) -> None:
    assert list(scope.properties({name: value})) == [expected]


def test_a_scope_has_the_device_policy_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    started: dict[str, Any] = {}

    def start(unit: str, settings: list[scope.Property]) -> None:
        started.update({name: values for name, _kind, values in settings}, unit=unit)

    replace_os_path(monkeypatch, scope, isdir=lambda path: True)
    monkeypatch.setattr(scope, "_start", start)
    monkeypatch.setattr(scope, "_control_groups", lambda: f"0::/nspawn.slice/{started['unit']}\n")
    scope.enter_scope("a session", ["/dev/kvm"])
    assert started["DevicePolicy"] == ("closed",)
    assert started["DeviceAllow"] == (2, "char-pts", "rw", "/dev/kvm", "rw")
    assert started["PIDs"] == (1, 0)
    assert {"MemoryMaxScale", "TasksMax", "Delegate"} <= {*started}


def test_a_host_without_systemd_has_no_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_os_path(monkeypatch, scope, isdir=lambda path: False)
    monkeypatch.setattr(scope, "_start", lambda unit, settings: pytest.fail("a scope"))
    scope.enter_scope("a session")


def test_a_scope_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_os_path(monkeypatch, scope, isdir=lambda path: True)
    monkeypatch.setattr(scope, "_start", lambda unit, settings: None)
    monkeypatch.setattr(scope, "_control_groups", lambda: "0::/user.slice\n")
    monkeypatch.setattr(scope, "_PATIENCE", 0)
    with pytest.raises(RunnerError, match="did not start the scope nspawn-runner-"):
        scope.enter_scope("a session")


def test_a_host_whose_systemd_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "_SOCKET", b"unix:path=/none/private")
    with pytest.raises(RunnerError) as error:
        scope._start("a.scope", [])
    assert list(error.value.output) == ["No such file or directory"]

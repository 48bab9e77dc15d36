# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

pytest.importorskip("ansible", reason="plugin_utils are for Ansible's plugins")

from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import inner
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import VARIABLE, Inner

RUN = Inner("aa", "/srv/aa", "/srv/staged", "/srv/result.json", {"ansible_host": "/srv/staged", "nspawn_runner_present": True})


def test_the_variable_is_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise an ansible-playbook that a task starts would take itself for the image's run.
    monkeypatch.setenv(VARIABLE, inner.encode(RUN))
    assert inner._from_environment() == RUN
    assert inner._from_environment() is None


def test_a_run_is_encoded_as_one_line_of_json() -> None:
    text = inner.encode(RUN._replace(image="ü\n"))
    assert "\n" not in text
    assert json.loads(text)["image"] == "ü\n"


@pytest.mark.parametrize("value", [None, ""])
def test_any_other_run_has_none(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    assert inner._from_environment() is None

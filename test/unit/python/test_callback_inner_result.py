# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="a callback is a plugin of Ansible's")

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.nspawn.runner.plugins.callback import inner_result
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import Inner


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(inner_result, "INNER", Inner("aa", "/srv/aa", "/nonexistent", str(tmp_path / "result.json"), {"ansible_host": "/staged", "flag": True}))
    return inner_result.CallbackModule()


def _result(task: str, uuid: str = "other", **values: Any) -> Any:
    return SimpleNamespace(task_name=task, _task=SimpleNamespace(_uuid=uuid), _result=values, result=values)


def test_a_failure_is_remembered(callback: Any) -> None:
    callback.v2_runner_on_failed(_result("Install", msg="No package"))
    assert callback.failure == {"task": "Install", "msg": "No package", "path": "", "lines": []}


def test_an_ignored_failure_is_not_remembered(callback: Any) -> None:
    callback.v2_runner_on_failed(_result("Install", msg="x"), ignore_errors=True)
    assert callback.failure is None


def test_a_rescued_failure_is_not_remembered(callback: Any) -> None:
    result = _result("Install", msg="x")
    result._task._parent = SimpleNamespace(block=[result._task], rescue=[SimpleNamespace(_uuid="r")])
    callback.v2_runner_on_failed(result)
    assert callback.failure is None


def test_an_ignored_unreachable_image_is_not_remembered(callback: Any) -> None:
    result = _result("Install", msg="x")
    result._task.ignore_unreachable = True
    callback.v2_runner_on_unreachable(result)
    assert callback.failure is None


def test_of_two_failures_the_first_one_counts(callback: Any) -> None:
    callback.v2_runner_on_unreachable(_result("first", msg="x"))
    callback.v2_runner_on_failed(_result("second", msg="y"))
    assert callback.failure["task"] == "first"


def test_only_the_last_task_of_a_play_is_its_end(callback: Any) -> None:
    callback.last = {"last"}
    callback.v2_runner_on_ok(_result("Install"))
    # A task of the playbook. Its name can also be a template with a fact.
    callback.v2_runner_on_ok(_result(inner_result._LAST_TASK))
    assert callback.ended == 0
    callback.v2_runner_on_ok(_result("Renamed", uuid="last"))
    assert callback.ended == 1


@pytest.mark.parametrize(("hosts", "text"), [("all", "all"), (["aa", "bb"], "aa,bb"), (("aa",), "aa"), (["\x1b"], r"\x1b")])
def test_hosts_of_a_play(hosts: Any, text: str) -> None:
    assert inner_result._hosts(SimpleNamespace(hosts=hosts)) == text


def test_a_play_that_does_not_match_is_remembered_with_its_line_and_its_missing_names(callback: Any) -> None:
    inventory = InventoryManager(DataLoader())
    inventory.add_host("aa")
    manager = SimpleNamespace(_inventory=inventory)
    callback.started = ["all", "aa,aaa\x1b"]
    callback.play = SimpleNamespace(hosts=["aaa\x1b"], get_variable_manager=lambda: manager, get_path=lambda: "/aa.yml:9")
    callback.v2_playbook_on_no_hosts_matched()
    assert callback.started == ["all"]
    assert callback.unmatched == [{"hosts": "aa,aaa\x1b", "path": "/aa.yml:9", "missing": [r"aaa\x1b"], "nearest": "aa"}]


def test_the_result_is_written_whole(callback: Any, tmp_path: Path) -> None:
    callback.started, callback.unmatched, callback.ended = ["all"], [{"hosts": "db"}], 1
    callback.v2_playbook_on_stats(SimpleNamespace(processed=["aa", "added by a task"], summarize=lambda host: {"changed": 2}))
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    content = json.loads((tmp_path / "result.json").read_text())
    assert content == {"plays": ["all"], "ended": 1, "unmatched": [{"hosts": "db"}], "failure": None, "stats": {"aa": {"changed": 2}}}


def test_in_any_other_run_the_plugin_does_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(inner_result, "INNER", None)
    callback = inner_result.CallbackModule()
    assert callback.disabled
    callback.v2_playbook_on_play_start(None)
    callback.v2_playbook_on_stats(None)

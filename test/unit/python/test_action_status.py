# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="an action is a plugin of Ansible's")

from ansible_collections.nspawn.runner.plugins.action import status

PROBLEMS = {"aa": None, "bb": "no\\x1b"}


def _run(monkeypatch: pytest.MonkeyPatch, form: str, *images: str) -> tuple[dict[str, Any], list[str]]:
    """The action's result for these images, and the lines on the terminal."""
    lines: list[str] = []
    monkeypatch.setattr(status.ActionBase, "run", lambda *arguments: {})
    monkeypatch.setattr(status, "images_of_play", lambda task_vars: images)
    monkeypatch.setattr(status, "image_of", lambda host: SimpleNamespace(name=host.name))
    monkeypatch.setattr(
        status, "status", lambda image, system, error, deadline: {"image": image.name, "system": system, "problem": error or PROBLEMS[image.name]}
    )
    monkeypatch.setattr(status.display, "display", lambda line, color=None: lines.append(line))
    action: Any = object.__new__(status.ActionModule)
    action.validate_argument_spec = lambda spec: (None, {"format": form})
    variables = {"nspawn_runner_os": {"pretty_name": "Debian"}}
    inventory = SimpleNamespace(groups={"nspawn_runner": None}, get_host=lambda name: SimpleNamespace(name=name, get_vars=lambda: variables))
    action._task = SimpleNamespace(get_variable_manager=lambda: SimpleNamespace(_inventory=inventory, extra_vars={}))
    return action.run(task_vars={}), lines


def test_a_table_with_a_sentence_about_each_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    result, lines = _run(monkeypatch, "table", "aa", "bb")
    assert [line.split()[0] for line in lines] == ["image", "aa", "bb", "bb:"]
    assert lines[1].split()[:2] == ["aa", "Debian"]
    assert lines[-1] == r"bb: no\x1b"
    assert (result["changed"], result["problems"], result["msg"]) == (False, 1, "1 image with a problem")


def test_json_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    result, lines = _run(monkeypatch, "json", "aa", "bb")
    (line,) = lines
    assert json.loads(line) == {"images": result["images"], "problems": 1}
    assert line.startswith("{")
    assert "\n" not in line


def test_without_images_there_is_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    result, lines = _run(monkeypatch, "table")
    assert (result["problems"], len(lines)) == (0, 1)
    assert "no image" in lines[0]

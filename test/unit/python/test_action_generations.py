# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="an action is a plugin of Ansible's")

from ansible_collections.nspawn.runner.plugins.action import generations

ID = "20261124T231431Z"


@pytest.mark.parametrize(
    ("published", "age"),
    [
        pytest.param("2026-11-24T23:14:31Z", "0 min", id="now"),
        pytest.param("2026-11-24T22:14:32Z", "59 min", id="nearly an hour"),
        pytest.param("2026-11-24T22:14:31Z", "1 h", id="an hour"),
        pytest.param("2026-11-23T23:14:32Z", "23 h", id="nearly a day"),
        pytest.param("2026-11-23T23:14:31Z", "1 d", id="a day"),
        pytest.param("2026-08-16T23:14:31Z", "100 d", id="many days"),
        pytest.param("2026-11-25T23:14:31Z", "0 min", id="the clock was set back"),
        pytest.param(None, "-", id="unknown"),
        pytest.param("yesterday", "-", id="no timestamp"),
    ],
)
def test_age(monkeypatch: pytest.MonkeyPatch, published: Any, age: str) -> None:
    monkeypatch.setattr(generations.time, "time", lambda: 1795562071.0)
    assert generations._age({"published": published}) == age


@pytest.mark.parametrize(
    ("tree", "playbook"),
    [
        ({"playbook": "/etc/nspawn-runner/aa.yml", "playbook_sha256": "0123456789abcdef"}, "aa.yml 01234567"),
        ({"playbook": "/etc/nspawn-runner/aa.yml"}, "aa.yml"),
        ({}, "-"),
    ],
)
def test_playbook(tree: dict[str, str], playbook: str) -> None:
    assert generations._playbook(tree) == playbook


@pytest.mark.parametrize(
    ("content", "tree", "word", "numbers"),
    [
        pytest.param({}, {"id": ID}, "published", ["-", "-", "-", "-"], id="a tree that no maintenance has made"),
        pytest.param({"hold": {}}, {"id": ID, "tasks_changed": 3, "packages": [{"name": "a", "to": "1"}]}, "held", ["3", "1", "0", "0"], id="a held tree"),
        pytest.param({"hold": {}}, {"id": ID, "retired": "x"}, "earlier", ["-", "-", "-", "-"], id="an earlier tree of a held image"),
    ],
)
def test_row(content: dict[str, Any], tree: dict[str, Any], word: str, numbers: list[str]) -> None:
    row = generations._row("aa", content, tree)
    assert row[:3] == ("aa", ID, word)
    assert [*row[-4:]] == numbers
    assert len(row) == len(generations.HEADER)


def _run(monkeypatch: pytest.MonkeyPatch, root: Path, *images: str, groups: tuple[str, ...] = ("nspawn_runner",), **extra: Any) -> tuple[dict[str, Any], str]:
    """The action's result for these images, and the lines on the terminal."""
    lines: list[str] = []
    monkeypatch.setattr(generations.ActionBase, "run", lambda *arguments: {})
    monkeypatch.setattr(generations, "images_of_play", lambda task_vars: images)
    monkeypatch.setattr(generations, "image_of", lambda name: SimpleNamespace(root=str(root), name=name))
    monkeypatch.setattr(generations.display, "display", lines.append)
    action: Any = object.__new__(generations.ActionModule)
    action.validate_argument_spec = lambda spec: None
    inventory = SimpleNamespace(get_host=lambda name: name, groups=groups)
    action._task = SimpleNamespace(get_variable_manager=lambda: SimpleNamespace(_inventory=inventory, extra_vars=extra))
    return action.run(None, {}), "\n".join(lines)


@pytest.mark.parametrize("kind", ["no JSON", "too large", "a directory"])
def test_a_record_that_cannot_be_read_hides_no_other_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    for name in ("aa", "bb", "cc"):
        (tmp_path / f".nspawn-runner/{name}").mkdir(parents=True)
    for name in ("aa", "cc"):
        content = {"format": 1, "image": name, "generations": [{"id": ID}]}
        (tmp_path / f".nspawn-runner/{name}/state.json").write_text(json.dumps(content))
    bad = tmp_path / ".nspawn-runner/bb/state.json"
    if kind == "a directory":
        bad.mkdir()
    else:
        bad.write_text("{" if kind == "no JSON" else "{}" + " " * (16 << 20))
    result, lines = _run(monkeypatch, tmp_path, "aa", "bb", "cc")
    assert [*result["images"]] == ["aa", "cc"]
    assert result["failed"]
    assert str(bad) in result["msg"]
    assert "image" in lines
    assert [name for name in ("aa", "cc") if f"\n{name} " not in lines] == []


def test_without_a_problem_the_list_does_not_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _run(monkeypatch, tmp_path, "aa")[0] == {
        "changed": False,
        "images": {"aa": {"format": 1, "image": "aa", "generations": []}},
        "jobs": {"aa": []},
    }


def test_jobs_are_named_below_their_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".nspawn-runner/aa").mkdir(parents=True)
    content = {"format": 1, "image": "aa", "published": {"id": ID}, "generations": [{"id": "20261123T231431Z", "retired": ID}]}
    (tmp_path / ".nspawn-runner/aa/state.json").write_text(json.dumps(content))
    mine = {"image": "aa", "generation": "20261123T231431Z", "name": "0123456789abcdef", "label": "4711"}
    monkeypatch.setattr(generations, "jobs", lambda root: [mine, {**mine, "image": "bb"}] if root == str(tmp_path) else [])
    result, lines = _run(monkeypatch, tmp_path, "aa")
    assert result["jobs"] == {"aa": [mine]}
    assert lines.split("\n")[2:] == [lines.split("\n")[2], "    job 4711 (0123456789abcdef) uses this tree"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"groups": ()}, "no inventory lists images", id="no inventory of the plugin"),
        pytest.param({"nspawn_runner_mirorr": "x"}, "nspawn_runner_mirror", id="a misspelt variable"),
    ],
)
def test_a_list_that_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, Any], words: str) -> None:
    result, lines = _run(monkeypatch, tmp_path, "aa", **given)
    assert result["failed"]
    assert words in result["msg"]
    assert lines == ""


def test_a_playbook_that_no_image_can_have_fails_the_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generations, "refused_playbooks", lambda: ["/etc/b b.yml: no image can have the name 'b b'"])
    result, lines = _run(monkeypatch, tmp_path, "aa")
    assert (result["failed"], [*result["images"]]) == (True, ["aa"])
    assert "b b.yml" in result["msg"]
    assert lines


@pytest.mark.parametrize(
    ("content", "trees"),
    [
        pytest.param({"generations": []}, [], id="none"),
        pytest.param({"published": 1, "generations": [2, 3]}, [1, 2, 3], id="the published one first"),
        pytest.param({"generations": [2]}, [2], id="no published one"),
    ],
)
def test_trees(content: dict[str, Any], trees: list[int]) -> None:
    assert generations._trees(content) == trees


@pytest.mark.parametrize(
    ("verbosity", "number", "lines"),
    [
        pytest.param(0, 0, 0, id="none"),
        pytest.param(0, 10, 10, id="ten"),
        pytest.param(0, 11, 11, id="eleven: ten and a line about the rest"),
        pytest.param(0, 30, 11, id="thirty: ten and a line about the rest"),
        pytest.param(1, 30, 30, id="all with -v"),
    ],
)
def test_packages_are_shown_up_to_ten(monkeypatch: pytest.MonkeyPatch, verbosity: int, number: int, lines: int) -> None:
    monkeypatch.setattr(generations.display, "verbosity", verbosity)
    shown = list(generations._packages([{"name": f"p{n}", "to": "1"} for n in range(number)], 0))
    assert len(shown) == lines
    assert (f"{number - 10} more" in shown[-1] if shown else False) == (verbosity == 0 and number > 10)


def test_packages_that_the_record_leaves_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations.display, "verbosity", 1)
    shown = list(generations._packages([{"name": "a", "to": "1"}], 7))
    assert len(shown) == 2
    assert " 7 more" in shown[-1]


def test_a_package_shows_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations.display, "verbosity", 0)
    packages = [{"name": "a", "to": "1"}, {"name": "b", "from": "1"}, {"name": "c", "from": "1", "to": "2"}]
    assert [line.split(maxsplit=1) for line in generations._packages(packages, 0)] == [["a", "added 1"], ["b", "removed 1"], ["c", "1 -> 2"]]


def test_a_tree_on_which_a_run_in_place_worked_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(generations.display, "display", lines.append)
    touched = {"id": "20261124T231500Z", "published": "2026-11-24T23:15:00Z", "in_place": "2026-11-25T08:00:00Z"}
    generations._show({"aa": {"published": touched, "generations": [{"id": "20261123T231500Z", "retired": "2026-11-24T23:15:00Z"}]}}, {})
    assert [("in place" in line, "2026-11-25T08:00:00Z" in line) for line in lines] == [(False, False), (True, True), (False, False)]

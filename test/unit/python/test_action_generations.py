# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

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
    shown = list(generations._packages([{"name": f"p{n}", "to": "1"} for n in range(number)]))
    assert len(shown) == lines
    assert (f"{number - 10} more" in shown[-1] if shown else False) == (verbosity == 0 and number > 10)


def test_a_package_shows_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations.display, "verbosity", 0)
    packages = [{"name": "a", "to": "1"}, {"name": "b", "from": "1"}, {"name": "c", "from": "1", "to": "2"}]
    assert [line.split(maxsplit=1) for line in generations._packages(packages)] == [["a", "added 1"], ["b", "removed 1"], ["c", "1 -> 2"]]

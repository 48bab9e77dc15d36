# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

pytest.importorskip("ansible", reason="an action is a plugin of Ansible's")

from ansible_collections.nspawn.runner.plugins.action import rollback
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible import hosts

OLD, NEW = "20261123T231500Z", "20261124T231500Z"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    replace_os(monkeypatch, hosts, geteuid=lambda: 0)
    monkeypatch.setattr(rollback, "make_state", lambda root, image: None)
    monkeypatch.setattr(rollback.context, "CLIARGS", {"subset": "aa"})
    return place


def _host(place: Place, **more: Any) -> Any:
    variables = {"nspawn_runner_root": place.root, "nspawn_runner_path": place.path, **more}
    return SimpleNamespace(name=place.image, get_vars=lambda: variables)


def test_the_image_of_limit_is_rolled_back(place: Place) -> None:
    assert rollback._place(_host(place)) == place


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param("user", ["root"], id="another user than root"),
        pytest.param("host", ["aa", "nspawn.runner.chroots"], id="a host that is no image"),
        pytest.param("subset", ["--limit aa"], id="no limit: all images by accident"),
        pytest.param("state", ["aa", "no earlier trees"], id="an image without history"),
    ],
)
def test_a_rollback_that_is_refused(monkeypatch: pytest.MonkeyPatch, place: Place, change: str, words: list[str]) -> None:
    host = _host(place)
    if change == "user":
        replace_os(monkeypatch, hosts, geteuid=lambda: 1000)
    elif change == "host":
        host = SimpleNamespace(name="aa", get_vars=dict)
    elif change == "subset":
        monkeypatch.setattr(rollback.context, "CLIARGS", {"subset": None})
    else:
        os.rmdir(place.state)
    with pytest.raises(RunnerError) as error:
        rollback._place(host)
    assert [word for word in words if word not in str(error.value)] == []


def _record(monkeypatch: pytest.MonkeyPatch, held: str | None) -> None:
    content = {"hold": {"generation": held}} if held else {}
    monkeypatch.setattr(rollback.record, "load", lambda place: content)


@pytest.mark.parametrize("check", [False, True])
def test_a_rollback_names_both_trees_and_its_end(monkeypatch: pytest.MonkeyPatch, place: Place, check: bool) -> None:
    _record(monkeypatch, None)
    monkeypatch.setattr(rollback, "roll_back", lambda *arguments: ({"id": NEW}, {"id": OLD, "published": "2026-11-23T23:15:00Z"}))
    result = rollback._roll_back(place, None, check)
    assert (result["changed"], result["generation"], result["previous"]) == (True, OLD, NEW)
    assert ("would be" in result["msg"]) == check
    for word in (place.path, OLD, NEW, "2026-11-23T23:15:00Z", "nspawn.runner.release --limit aa"):
        assert word in result["msg"]


def test_a_rollback_without_a_published_tree(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _record(monkeypatch, None)
    monkeypatch.setattr(rollback, "roll_back", lambda *arguments: ({}, {"id": OLD}))
    result = rollback._roll_back(place, None, False)
    assert (result["previous"], result["generation"]) == (None, OLD)
    assert "no tree" in result["msg"]


@pytest.mark.parametrize(
    ("held", "check", "changed"),
    [
        pytest.param(OLD, False, False, id="held there already"),
        pytest.param(None, False, True, id="not held yet"),
        pytest.param(None, True, True, id="not held yet, in check mode"),
        pytest.param(NEW, False, True, id="held at another one"),
    ],
)
def test_a_rollback_to_the_published_tree(monkeypatch: pytest.MonkeyPatch, place: Place, held: str | None, check: bool, changed: bool) -> None:
    _record(monkeypatch, held)
    monkeypatch.setattr(rollback, "roll_back", lambda *arguments: ({"id": OLD}, {"id": OLD}))
    result = rollback._roll_back(place, OLD, check)
    assert (result["changed"], result["generation"], result["previous"]) == (changed, OLD, OLD)
    assert "already" in result["msg"]


@pytest.mark.parametrize(
    ("held", "check", "changed", "released"),
    [(None, False, False, 0), (OLD, False, True, 1), (OLD, True, True, 0)],
)
def test_a_release(monkeypatch: pytest.MonkeyPatch, place: Place, held: str | None, check: bool, changed: bool, released: int) -> None:
    places: list[Place] = []
    _record(monkeypatch, held)
    monkeypatch.setattr(rollback, "release", places.append)
    result = rollback._release(place, check)
    assert result["changed"] is changed
    assert "aa" in result["msg"]
    assert places == [place] * released

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import record, seed
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place

ORIGIN = {"nspawn_runner_chroot_suite": "sid", "/usr/bin/mmdebstrap": [1, 2], "the version of nspawn.runner": "1.0.0"}
MADE = "2026-11-24T08:00:00Z"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.staged)
    Path(place.staged, "file").write_text("new")

    def copy_tree(source: str, target: str) -> str:
        shutil.copytree(source, target)
        return "copy"

    monkeypatch.setattr(seed.stage, "copy_tree", copy_tree)
    monkeypatch.setattr(seed.files, "sync_file_system", lambda path: None)
    monkeypatch.setattr(seed, "remove_tree", lambda path, wait: shutil.rmtree(path))
    monkeypatch.setattr(seed.record, "now", lambda: MADE)
    _at(monkeypatch, 0)
    return place


def _at(monkeypatch: pytest.MonkeyPatch, later: float) -> None:
    now = (record.seconds(MADE) or 0) + later
    monkeypatch.setattr(seed.time, "time", lambda: now)


def _kept(place: Place) -> Place:
    """The place of an image after its first run failed: the seed alone is left."""
    seed.keep(place, ORIGIN, pytest.fail)
    Path(place.staged, "file").write_text("half of a playbook")
    shutil.rmtree(place.staged)
    return place


def _names(place: Place) -> list[str]:
    return sorted(os.listdir(place.state))


def test_the_seed_is_taken_again_and_again(place: Place) -> None:
    _kept(place)
    for _run in range(2):
        assert seed.take(place, dict(ORIGIN), pytest.fail) == MADE
        assert Path(place.staged, "file").read_text() == "new"
        shutil.rmtree(place.staged)
    assert _names(place) == ["seed", "seed.json"]


def test_without_a_seed_none_is_taken(place: Place) -> None:
    assert seed.take(place, ORIGIN, pytest.fail) is None


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        pytest.param({**ORIGIN, "nspawn_runner_chroot_suite": "trixie"}, "nspawn_runner_chroot_suite changed since 2026-11-24T08:00:00Z", id="an option"),
        pytest.param({**ORIGIN, "nspawn_runner_packages": []}, "nspawn_runner_packages changed", id="an option that was not set"),
        pytest.param({**ORIGIN, "/usr/bin/mmdebstrap": [1, 3]}, "/usr/bin/mmdebstrap changed", id="another version of the tool"),
        pytest.param({**ORIGIN, "the version of nspawn.runner": "1.0.1"}, "the version of nspawn.runner changed", id="another version of the collection"),
        pytest.param({"nspawn_runner_chroot_suite": "sid"}, "/usr/bin/mmdebstrap, the version of nspawn.runner changed", id="all that differ are named"),
    ],
)
def test_a_seed_of_another_origin_is_removed(place: Place, origin: dict[str, Any], named: str) -> None:
    _kept(place)
    log: list[str] = []
    assert seed.take(place, origin, log.append) is None
    assert named in log[0]
    assert _names(place) == []


@pytest.mark.parametrize(("later", "used"), [(6.9 * 86400, True), (7.1 * 86400, False), (-60, False)])
def test_a_seed_is_used_for_a_week(monkeypatch: pytest.MonkeyPatch, place: Place, later: float, used: bool) -> None:
    _kept(place)
    _at(monkeypatch, later)
    log: list[str] = []
    assert (seed.take(place, ORIGIN, log.append) == MADE) is used
    assert bool(log) is not used


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([], id="a list"),
        pytest.param({"format": 2}, id="of a later version"),
        pytest.param({"origin": 5}, id="an origin that is a number"),
        pytest.param({"made": 5}, id="a time that is a number"),
        pytest.param({"made": "9999-99-99T00:00:00Z"}, id="a time that does not exist"),
        pytest.param({"tree": [1, 0]}, id="of another tree"),
        pytest.param({"tree": None}, id="of no tree"),
    ],
)
def test_a_damaged_seed_is_removed_and_never_used(place: Place, content: Any) -> None:
    path = Path(_kept(place).state, "seed.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **content} if isinstance(content, dict) else content))
    log: list[str] = []
    assert seed.take(place, ORIGIN, log.append) is None
    assert log
    assert _names(place) == []


def test_a_torn_file_is_no_seed(place: Place) -> None:
    Path(_kept(place).state, "seed.json").write_text("{")
    log: list[str] = []
    assert seed.take(place, ORIGIN, log.append) is None
    assert "not valid JSON" in log[0]
    assert _names(place) == []


def _full(source: str, target: str) -> str:
    raise RunnerError("the disk is full", "free some space")


def test_without_room_for_a_copy_the_run_goes_on_without_a_seed(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(seed.stage, "copy_tree", _full)
    log: list[str] = []
    seed.keep(place, ORIGIN, log.append)
    assert log == ["no seed of image aa is kept: the disk is full: free some space"]
    assert _names(place) == ["staged"]


def test_without_room_for_a_copy_the_seed_itself_is_used(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _kept(place)
    monkeypatch.setattr(seed.stage, "copy_tree", _full)
    log: list[str] = []
    assert seed.take(place, ORIGIN, log.append) == MADE
    assert Path(place.staged, "file").read_text() == "new"
    assert (_names(place), len(log)) == (["staged"], 1)


def test_a_new_seed_replaces_the_one_before(place: Place) -> None:
    seed.keep(place, ORIGIN, pytest.fail)
    Path(place.staged, "file").write_text("newer")
    seed.keep(place, {}, pytest.fail)
    assert Path(place.seed, "file").read_text() == "newer"
    assert _names(place) == ["seed", "seed.json", "staged"]

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The swap and its journal in directories of the test: without locks of containers, and without waiting for the disk.

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import leftovers, publish, record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place

OLD = "20261123T231500Z"
MOUNTS = ["0:40 rw,lowerdir=/x"]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    monkeypatch.setattr(publish.in_use, "unused", lambda *arguments: nullcontext())
    monkeypatch.setattr(publish.in_use, "overlay_mounts", lambda path: MOUNTS)
    monkeypatch.setattr(publish, "quiet", lambda path: nullcontext())
    monkeypatch.setattr(publish.files, "sync_file_system", lambda path: None)
    monkeypatch.setattr(publish.os, "fsync", lambda descriptor: None)
    return place


def _tree(path: str, name: str) -> None:
    os.makedirs(path)
    Path(path, name).touch()


def _files(place: Place) -> dict[str, list[str]]:
    """The files of all trees, by the tree's path below the root."""
    trees = [place.path, place.staged, *(os.path.join(place.generations, name) for name in record.directories(place))]
    return {os.path.relpath(tree, place.root): os.listdir(tree) for tree in trees if os.path.isdir(tree)}


def test_the_first_tree_is_renamed_to_its_place(place: Place) -> None:
    _tree(place.staged, "new")
    generation = publish.publish(place, {"tasks_changed": 2})
    assert _files(place) == {"aa": ["new"]}
    assert generation["tasks_changed"] == 2
    assert record.load(place) == {"format": 1, "image": "aa", "generations": [], "published": generation}
    assert sorted(os.listdir(place.state)) == ["generations", "state.json"]


def test_the_journal_of_a_swap_can_be_read_whatever_the_number_of_packages(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _tree(place.staged, "new")
    journals: list[Any] = []
    complete = publish._complete
    monkeypatch.setattr(publish, "_complete", lambda place, journal: journals.append(record.read_json(place.journal)) or complete(place, journal))
    generation = publish.publish(place, {"packages": [{"name": f"{index:0511}", "to": "1" * 255} for index in range(50_000)]})
    assert len(generation["packages"]) + generation["packages_omitted"] == 50_000
    assert journals[0]["content"] == record.load(place)
    assert record.load(place)["published"] == generation


def test_the_tree_before_becomes_a_generation(place: Place) -> None:
    _tree(place.path, "old")
    _tree(place.staged, "new")
    record.save(place, {"format": 1, "image": "aa", "published": {"id": OLD, "tasks_changed": 1}, "generations": [], "hold": {"since": "x", "generation": OLD}})
    generation = publish.publish(place, {})
    assert _files(place) == {"aa": ["new"], f".nspawn-runner/aa/generations/{OLD}": ["old"]}
    content = record.load(place)
    assert content["published"] == generation
    assert "hold" not in content
    earlier = content["generations"][0]
    assert (earlier["id"], earlier["tasks_changed"], earlier["retired"], earlier["mounts"]) == (OLD, 1, generation["published"], MOUNTS)


def test_a_tree_without_a_record_becomes_a_generation_too(place: Place) -> None:
    _tree(place.path, "old")
    _tree(place.staged, "new")
    generation = publish.publish(place, {})
    earlier = record.load(place)["generations"][0]["id"]
    assert _files(place) == {"aa": ["new"], f".nspawn-runner/aa/generations/{earlier}": ["old"]}
    assert earlier < generation["id"]


def test_a_record_without_its_tree_retires_no_generation(place: Place) -> None:
    record.save(place, {"format": 1, "image": "aa", "published": {"id": OLD}, "generations": []})
    assert publish.retire(place) == ({"format": 1, "image": "aa", "generations": []}, None)


def test_generations_are_kept_from_the_newest(place: Place) -> None:
    _tree(place.path, "old")
    earlier = [{"id": "20261122T000000Z"}, {"id": "20261124T000000Z"}]
    record.save(place, {"format": 1, "image": "aa", "published": {"id": OLD}, "generations": earlier})
    content, old = publish.retire(place)
    assert old is not None
    assert [entry["id"] for entry in content["generations"]] == ["20261124T000000Z", OLD, "20261122T000000Z"]


def test_a_swap_that_fails_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    def fail(*arguments: Any) -> None:
        raise RunnerError("no rename")

    _tree(place.path, "old")
    _tree(place.staged, "new")
    monkeypatch.setattr(publish.files, "rename", fail)
    with pytest.raises(RunnerError, match="no rename"):
        publish.publish(place, {})
    assert _files(place) == {"aa": ["old"], ".nspawn-runner/aa/staged": ["new"]}
    assert not os.path.exists(place.journal)
    assert [name for name in os.listdir(place.state) if name.startswith("trash-")] == []


def test_a_record_that_cannot_be_written_after_the_swap_fails_no_run(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _tree(place.path, "old")
    _tree(place.staged, "new")
    sync_directory = publish.files.sync_directory

    def sync(path: str) -> None:
        if path == place.root:
            raise OSError(28, "No space left on device")
        sync_directory(path)

    monkeypatch.setattr(publish.files, "sync_directory", sync)
    lines: list[str] = []
    generation = publish.publish(place, {}, lines.append)
    assert _files(place)["aa"] == ["new"]
    assert len(lines) == 1
    assert place.state in lines[0]
    assert "No space left on device" in lines[0]
    # The next run completes the record.
    monkeypatch.setattr(publish.files, "sync_directory", sync_directory)
    publish.settle(place)
    assert record.load(place)["published"] == generation
    assert list(_files(place).values()) == [["new"], ["old"]]
    assert not os.path.exists(place.journal)


def _journal(place: Place, **fields: Any) -> None:
    journal = {"format": 1, "source": "staged", "new": None, "old": None, "old_id": None, "content": {"format": 1, "image": "aa", "generations": []}}
    Path(place.journal).write_text(json.dumps({**journal, **fields}))


def test_without_a_journal_there_is_nothing_to_settle(place: Place) -> None:
    publish.settle(place)
    assert os.listdir(place.state) == []


def test_a_swap_that_did_not_take_place_is_forgotten(place: Place) -> None:
    _tree(place.path, "old")
    _tree(place.staged, "new")
    _journal(place, new=publish.files.identity(place.staged), old=publish.files.identity(place.path), old_id=OLD)
    publish.settle(place)
    assert not os.path.exists(place.journal)
    assert _files(place) == {"aa": ["old"], ".nspawn-runner/aa/staged": ["new"]}


@pytest.mark.parametrize("done", ["the exchange", "the generation's rename", "a tree that was replaced by hand"])
def test_a_swap_that_took_place_is_completed(place: Place, done: str) -> None:
    _tree(place.path, "new")
    _tree(place.staged, "old")
    os.mkdir(place.generations)
    content = {"format": 1, "image": "aa", "published": {"id": "20261124T231500Z"}, "generations": [{"id": OLD}]}
    _journal(place, new=publish.files.identity(place.path), old=publish.files.identity(place.staged), old_id=OLD, content=content)
    if done == "the generation's rename":
        os.rename(place.staged, os.path.join(place.generations, OLD))
    elif done == "a tree that was replaced by hand":
        os.rename(place.path, f"{place.path}.away")
        _tree(place.path, "new")
    publish.settle(place)
    assert _files(place) == {"aa": ["new"], f".nspawn-runner/aa/generations/{OLD}": ["old"]}
    assert record.load(place)["generations"] == [{"id": OLD, "mounts": MOUNTS}]
    assert not os.path.exists(place.journal)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="a list"),
        pytest.param('{"format": 1}', id="fields are missing"),
        pytest.param('{"format": 2, "source": "staged", "new": null, "old": null, "old_id": null, "content": {}}', id="another version"),
        pytest.param("{", id="no JSON"),
    ],
)
def test_a_journal_of_another_version_is_left_for_it(place: Place, text: str) -> None:
    Path(place.journal).write_text(text)
    with pytest.raises(RunnerError) as error:
        publish.settle(place)
    assert place.journal in error.value.found
    assert Path(place.journal).read_text() == text


CONTENT = {"format": 1, "image": "aa", "generations": []}
JOURNAL = {"format": 1, "source": "staged", "new": [5, 0], "old": [6, 0], "old_id": OLD, "content": CONTENT}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"source": 5}, id="a path that is a number"),
        pytest.param({"source": "../../etc"}, id="a path out of the directory"),
        pytest.param({"source": "generations/../../x"}, id="a path that begins like a generation's"),
        pytest.param({"source": "generations"}, id="no tree"),
        pytest.param({"new": None}, id="no new tree"),
        pytest.param({"new": "5"}, id="a tree that is text"),
        pytest.param({"new": [5]}, id="half of a tree's numbers"),
        pytest.param({"new": [5, "0"]}, id="a number that is text"),
        pytest.param({"old": 7}, id="an old tree that is a number"),
        pytest.param({"old_id": None}, id="an old tree without an id"),
        pytest.param({"old_id": "../x"}, id="an id that is a path"),
        pytest.param({"content": None}, id="no record"),
        pytest.param({"content": []}, id="a record that is a list"),
        pytest.param({"content": {**CONTENT, "generations": [5]}}, id="a damaged record"),
        pytest.param({"content": {**CONTENT, "image": "bb"}}, id="the record of another image"),
        pytest.param(None, id="null"),
        pytest.param("{", id="no JSON"),
    ],
)
def test_a_damaged_journal_changes_nothing_and_is_told(place: Place, change: Any) -> None:
    _tree(place.path, "one")
    _tree(place.staged, "other")
    text = change if isinstance(change, str) else json.dumps({**JOURNAL, **change} if change else None)
    Path(place.journal).write_text(text)
    with pytest.raises(RunnerError) as error:
        publish.recover(place)
    assert place.journal in error.value.found
    assert error.value.remedy == f"move it away, and {place.staged} too if that exists: {place.path} is a whole tree"
    assert Path(place.journal).read_text() == text
    assert _files(place) == {"aa": ["one"], ".nspawn-runner/aa/staged": ["other"]}


@pytest.mark.parametrize("source", ["staged", f"generations/{OLD}"])
def test_a_journal_of_right_types_is_accepted(place: Place, source: str) -> None:
    Path(place.journal).write_text(json.dumps({**JOURNAL, "source": source}))
    publish.settle(place)
    assert not os.path.exists(place.journal)


def test_an_id_that_is_taken_is_refused_before_the_swap(place: Place) -> None:
    _tree(place.path, "old")
    _tree(place.staged, "new")
    _tree(os.path.join(place.generations, OLD), "a copy")
    record.save(place, {**CONTENT, "published": {"id": OLD}})
    with pytest.raises(RunnerError, match="has the same id: move that directory away"):
        publish.publish(place, {})
    assert _files(place)["aa"] == ["old"]
    assert not os.path.exists(place.journal)


def test_recover_removes_the_remains_of_a_killed_run(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    removed: list[str] = []

    def remove(path: str, wait: bool = True) -> None:
        removed.append(os.path.basename(path))
        os.rename(path, f"{path}.removed")

    monkeypatch.setattr(publish, "remove_tree", remove)
    monkeypatch.setattr(leftovers, "remove_tree", remove)
    os.mkdir(place.staged)
    for name in ("state.json.part", "config", "state.json"):
        Path(place.state, name).touch()
    publish.recover(place)
    assert removed == ["staged"]
    assert sorted(os.listdir(place.state)) == ["staged.removed", "state.json"]

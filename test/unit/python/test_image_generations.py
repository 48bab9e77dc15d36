# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import generations, record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place


def _id(day: int) -> str:
    return f"202611{day:02}T231500Z"


def _time(day: int) -> str:
    return f"2026-11-{day:02}T23:15:00Z"


# 2026-11-24 at 23:15.
NOW = 1795562100
# Generations that are in use.
USED = _id(19)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """An image on the day 24, whose published tree is of day 23, with generations of the days 22, 21, 20 and 10."""

    @contextmanager
    def unused(tree: str, overlays: Collection[str] = (), published: str | None = None) -> Iterator[None]:
        if os.path.basename(tree) == USED:
            raise Busy(f"{tree} is in use")
        yield

    monkeypatch.setattr(record.os, "fsync", lambda descriptor: None)
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.path)
    for day in (22, 21, 20, 10):
        os.makedirs(os.path.join(place.generations, _id(day)))
    earlier = [{"id": _id(day), "published": _time(day), "retired": _time(day + 1), "mounts_complete": True} for day in (22, 21, 20, 10)]
    record.save(place, {"format": 1, "image": "aa", "published": {"id": _id(23), "published": _time(23)}, "generations": earlier})
    monkeypatch.setattr(generations.in_use, "unused", unused)
    monkeypatch.setattr(generations, "remove_leftovers", lambda state: None)
    monkeypatch.setattr(record.time, "time", lambda: float(NOW))
    return place


def _prune(place: Place, keep: int, days: int) -> tuple[list[str], list[str]]:
    lines: list[str] = []
    return generations.prune(place, keep, days, lines.append), lines


def _days(place: Place) -> list[int]:
    return [int(name[6:8]) for name in record.directories(place)]


@pytest.mark.parametrize(
    ("keep", "days", "left"),
    [
        pytest.param(2, 7, [22, 21, 20], id="the newest two and those of seven days"),
        pytest.param(0, 0, [], id="none"),
        pytest.param(0, 2, [22], id="retired one day ago"),
        pytest.param(0, 1, [], id="retired exactly one day ago"),
        pytest.param(1, 0, [22], id="the newest one"),
        pytest.param(9, 0, [22, 21, 20, 10], id="more than there are"),
        pytest.param(3, 1, [22, 21, 20], id="the newest three, of which two are old"),
        pytest.param(1, 40, [22, 21, 20, 10], id="all are young"),
        pytest.param(0, 13, [22, 21, 20], id="retired exactly thirteen days ago"),
    ],
)
def test_prune(place: Place, keep: int, days: int, left: list[int]) -> None:
    removed, lines = _prune(place, keep, days)
    assert _days(place) == left
    assert [int(entry["id"][6:8]) for entry in record.load(place)["generations"]] == left
    assert sorted(removed) == sorted(_id(day) for day in {22, 21, 20, 10} - {*left})
    assert lines == []


def test_pruned_trees_are_renamed_to_names_that_the_sweeper_knows(place: Place) -> None:
    _prune(place, 3, 0)
    assert [name[:6] for name in os.listdir(place.state) if name.startswith("trash-")] == ["trash-"]


def test_a_generation_whose_age_is_unknown_is_old(place: Place) -> None:
    content = record.load(place)
    del content["generations"][2]["retired"]
    record.save(place, content)
    assert _prune(place, 2, 365)[0] == [_id(20)]


def test_with_a_clock_that_was_set_back_no_generation_is_old(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(record.time, "time", lambda: float(NOW - 100 * 86400))
    assert _prune(place, 0, 1)[0] == []


def test_an_age_is_never_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record.time, "time", lambda: float(NOW))
    assert generations._age({"retired": "9998-01-01T00:00:00Z"}) == 0


def test_a_generation_in_use_stays_and_is_named(place: Place) -> None:
    content = record.load(place)
    content["generations"][3]["id"] = USED
    os.rename(os.path.join(place.generations, _id(10)), os.path.join(place.generations, USED))
    record.save(place, content)
    removed, lines = _prune(place, 0, 0)
    assert removed == [_id(22), _id(21), _id(20)]
    assert [entry["id"] for entry in record.load(place)["generations"]] == [USED]
    assert len(lines) == 1
    assert USED in lines[0]


@pytest.mark.parametrize("keep", [0, 1])
def test_a_generation_is_removed_at_the_earliest_by_the_run_after_the_one_that_replaced_it(monkeypatch: pytest.MonkeyPatch, place: Place, keep: int) -> None:
    content = record.load(place)
    content["generations"][0] = {"id": _id(22), "retired": _time(24), "mounts": ["0:40 early"]}
    record.save(place, content)
    table: list[str] = ["0:40 early"]
    used: list[str] = []

    @contextmanager
    def unused(tree: str, overlays: Collection[str] = (), published: str | None = None) -> Iterator[None]:
        used[:] = overlays
        if {*overlays} & {*table}:
            raise Busy(f"{tree} is in use")
        yield

    monkeypatch.setattr(generations.in_use, "overlay_mounts", lambda path: table if path == place.path else [])
    monkeypatch.setattr(generations.in_use, "unused", unused)
    # The run that replaced the tree: an overlay is inside mount(2).
    removed, lines = _prune(place, keep, 0)
    assert removed == [_id(21), _id(20), _id(10)]
    assert [_id(22) in line and "next maintenance" in line for line in lines] == ([] if keep else [True])
    # The overlay is mounted, and the next run finds it, whether the tree is to be removed or not.
    table[:] = ["0:41 late"]
    removed, lines = _prune(place, keep, 0)
    assert (removed, record.load(place)["generations"][0]["mounts"]) == ([], ["0:40 early", "0:41 late"])
    # A job on the new tree looks the same from then on.
    table[:] = ["0:41 late", "0:42 new"]
    assert _prune(place, 0, 0)[0] == []
    assert used == ["0:40 early", "0:41 late"]
    table[:] = ["0:42 new"]
    assert _prune(place, 0, 0)[0] == [_id(22)]


def test_a_record_that_is_complete_is_not_written_again(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(generations.record, "save", lambda place, content: pytest.fail())
    monkeypatch.setattr(generations.in_use, "overlay_mounts", lambda path: pytest.fail())
    assert _prune(place, 9, 9) == ([], [])


def test_a_tree_that_is_put_back_loses_the_fields_of_a_generation(place: Place) -> None:
    assert generations.roll_back(place, _id(20), check=True)[1] == {"id": _id(20), "published": _time(20)}


def test_a_generation_that_was_removed_by_hand_leaves_the_record(place: Place) -> None:
    os.rmdir(os.path.join(place.generations, _id(21)))
    assert _prune(place, 9, 9)[0] == []
    assert [entry["id"] for entry in record.load(place)["generations"]] == [_id(22), _id(20), _id(10)]


def test_a_directory_without_a_record_is_left_alone(place: Place) -> None:
    os.mkdir(os.path.join(place.generations, "mine"))
    removed, lines = _prune(place, 0, 0)
    assert os.listdir(place.generations) == ["mine"]
    assert len(removed) == 4
    assert "mine" in lines[0]


def test_while_a_swap_is_incomplete_no_generation_is_removed(place: Place) -> None:
    Path(place.journal).touch()
    removed, lines = _prune(place, 0, 0)
    assert (removed, _days(place), len(lines)) == ([], [22, 21, 20, 10], 1)


def test_a_damaged_record_keeps_all_generations(place: Place) -> None:
    Path(place.state, "state.json").write_text("{")
    removed, lines = _prune(place, 0, 0)
    assert (removed, _days(place), len(lines)) == ([], [22, 21, 20, 10], 1)


@pytest.mark.parametrize(
    ("wanted", "day"),
    [
        pytest.param(None, 22, id="the one before"),
        pytest.param(_id(20), 20, id="a named one"),
        pytest.param(_id(10), 10, id="the oldest"),
    ],
)
def test_a_rollback_chooses_a_generation(place: Place, wanted: str | None, day: int) -> None:
    old, new = generations.roll_back(place, wanted, check=True)
    assert (old["id"], new) == (_id(23), {"id": _id(day), "published": _time(day)})


def test_a_rollback_after_a_rollback_goes_further_back(place: Place) -> None:
    # The tree of day 22 is the image's, and the one of day 23 a generation.
    content = record.load(place)
    content["generations"][0] = {"id": _id(23), "published": _time(23), "retired": _time(24)}
    content["published"] = {"id": _id(22), "published": _time(22)}
    os.rename(os.path.join(place.generations, _id(22)), os.path.join(place.generations, _id(23)))
    record.save(place, content)
    assert generations.roll_back(place, None, check=True)[1]["id"] == _id(21)


def test_without_a_published_tree_the_last_one_is_chosen(place: Place) -> None:
    os.rmdir(place.path)
    old, new = generations.roll_back(place, None, check=True)
    assert (old, new["id"]) == ({}, _id(22))


def test_a_generation_whose_directory_is_gone_is_not_chosen(place: Place) -> None:
    os.rmdir(os.path.join(place.generations, _id(22)))
    assert generations.roll_back(place, None, check=True)[1]["id"] == _id(21)


@pytest.mark.parametrize("wanted", [_id(15), "../../etc", "nonsense", ""])
def test_an_unknown_generation_is_an_error_with_those_that_there_are(place: Place, wanted: str) -> None:
    with pytest.raises(RunnerError) as error:
        generations.roll_back(place, wanted, check=True)
    assert f"'{wanted}'" in str(error.value)
    assert all(_id(day) in str(error.value) for day in (22, 21, 20, 10))


def test_an_image_without_generations_cannot_be_rolled_back(place: Place) -> None:
    for name in record.directories(place):
        os.rmdir(os.path.join(place.generations, name))
    with pytest.raises(RunnerError) as error:
        generations.roll_back(place, None, check=True)
    assert "aa" in error.value.found
    assert error.value.remedy == ""


def test_check_mode_changes_no_file(place: Place) -> None:
    before = {path: path.read_bytes() if path.is_file() else b"" for path in Path(place.root).rglob("*")}
    generations.roll_back(place, None, check=True)
    generations.roll_back(place, _id(23), check=True)
    assert {path: path.read_bytes() if path.is_file() else b"" for path in Path(place.root).rglob("*")} == before


def test_a_rollback_to_the_published_tree_only_holds_it(place: Place) -> None:
    old, new = generations.roll_back(place, _id(23))
    assert old == new == {"id": _id(23), "published": _time(23)}
    hold = record.load(place)["hold"]
    assert hold["generation"] == _id(23)
    assert record.seconds(hold["since"]) is not None


def test_a_release_ends_a_hold_once(place: Place) -> None:
    content: dict[str, Any] = {**record.load(place), "hold": {"since": _time(24), "generation": _id(22)}}
    record.save(place, content)
    assert generations.release(place) is True
    assert "hold" not in record.load(place)
    assert generations.release(place) is False


@pytest.mark.parametrize("earlier", [False, True])
def test_a_failed_tree_is_kept_in_place_of_the_earlier_one(monkeypatch: pytest.MonkeyPatch, place: Place, earlier: bool) -> None:
    removed: list[list[str]] = []
    monkeypatch.setattr(generations, "remove_tree", lambda path: removed.append(os.listdir(path)))
    for path, name in ((place.staged, "new"), *([(place.failed, "old")] if earlier else [])):
        os.mkdir(path)
        Path(path, name).touch()
    assert generations.keep_failed(place) == place.failed
    assert os.listdir(place.failed) == ["new"]
    assert removed == ([["old"]] if earlier else [])


def test_a_kept_tree_goes_to_the_trash_after_a_success(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    lines: list[str | bytes] = []
    generations.forget_failed(place, lines.append)
    monkeypatch.setattr(generations.in_use, "unused", lambda tree: nullcontext())
    os.mkdir(place.failed)
    Path(place.failed, "old").touch()
    generations.forget_failed(place, lines.append)
    (trash,) = [name for name in os.listdir(place.state) if name.startswith("trash-")]
    assert os.listdir(os.path.join(place.state, trash)) == ["old"]
    assert not os.path.exists(place.failed)
    assert lines == []


def test_a_kept_tree_that_is_in_use_stays(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    @contextmanager
    def busy(tree: str) -> Iterator[None]:
        raise Busy(f"{tree} is in use by process 7", "wait until it ends")
        yield

    lines: list[str | bytes] = []
    monkeypatch.setattr(generations.in_use, "unused", busy)
    os.mkdir(place.failed)
    generations.forget_failed(place, lines.append)
    assert os.path.isdir(place.failed)
    assert "process 7" in str(lines)

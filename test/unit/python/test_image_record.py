# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import place as place_module
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place

ID = "20261123T231500Z"
LATER = "20261124T231500Z"
GOOD = {"format": 1, "image": "aa", "generations": [{"id": ID}]}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    monkeypatch.setattr(record.os, "fsync", lambda descriptor: None)
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    return place


def _state(place: Place, content: Any) -> Path:
    path = Path(place.state, "state.json")
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("20260505T000000Z", True, id="midnight"),
        pytest.param("20240229T235959Z", True, id="a leap day"),
        pytest.param("20260229T000000Z", False, id="a day that the year has not"),
        pytest.param("20261301T000000Z", False, id="a month that does not exist"),
        pytest.param("20260505T240000Z", False, id="an hour that does not exist"),
        pytest.param("20260505T000000", False, id="no Z"),
        pytest.param("2026-05-05T00:00:00Z", False, id="a timestamp"),
        pytest.param("99981231T235959Z", True, id="the last one"),
        pytest.param("99990101T000000Z", False, id="after which an id would have another form"),
        pytest.param("20260505T000000Z\n", False, id="a line feed at the end"),
        pytest.param(" 20260505T000000Z", False, id="a blank at the start"),
        pytest.param("../20260505T000000Z", False, id="a path"),
        pytest.param("\u0662\u0660260505T000000Z", False, id="digits of another script"),
        pytest.param("", False, id="empty"),
    ],
)
def test_is_id(name: str, expected: bool) -> None:
    assert record.is_id(name) is expected


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="the start of Unix time"),
        pytest.param("2026-11-24T23:14:31Z", 1795562071, id="in UTC, whatever the time zone"),
        pytest.param("2026-11-24", None, id="a date"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="missing"),
        pytest.param(5, None, id="a number"),
        pytest.param(["2026-11-24T23:14:31Z"], None, id="a list"),
    ],
)
def test_seconds(monkeypatch: pytest.MonkeyPatch, timestamp: Any, expected: float | None) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert record.seconds(timestamp) == expected


def test_now_is_a_timestamp_of_the_present() -> None:
    seconds = record.seconds(record.now())
    assert seconds is not None
    assert abs(seconds - record.time.time()) < 60


@pytest.mark.parametrize(
    ("clock", "taken", "new"),
    [
        pytest.param(1795562071, [], "20261124T231431Z", id="the present time"),
        pytest.param(1795562071, [ID], "20261124T231431Z", id="an earlier id"),
        pytest.param(1795562071, ["20261124T231431Z"], "20261124T231432Z", id="an id of the same second"),
        pytest.param(0, [ID, "20251231T235959Z"], "20261123T231501Z", id="the clock was set back"),
        pytest.param(1795562071, ["lost+found", "99999999T999999Z"], "20261124T231431Z", id="names that are no ids"),
        pytest.param(0, ["20251231T235959Z"], "20260101T000000Z", id="over the end of a year"),
    ],
)
def test_new_id_is_later_than_all_others(monkeypatch: pytest.MonkeyPatch, clock: int, taken: list[str], new: str) -> None:
    monkeypatch.setattr(record.time, "time", lambda: float(clock))
    assert record.new_id(taken) == new


@pytest.mark.parametrize(("clock", "taken"), [(0, ["99981231T235959Z"]), (253402300799, []), (253402300800, [ID])])
def test_no_id_has_another_form(monkeypatch: pytest.MonkeyPatch, clock: int, taken: list[str]) -> None:
    monkeypatch.setattr(record.time, "time", lambda: float(clock))
    with pytest.raises(RunnerError, match="9998") as error:
        record.new_id(taken)
    assert "set the clock" in error.value.remedy


@pytest.mark.parametrize(
    ("listed", "directories", "kept"),
    [
        pytest.param([{"id": ID}, {"id": ID}], [ID], [{"id": ID}], id="the same entry"),
        pytest.param([{"id": ID, "retired": "x"}, {"id": ID}], [], [{"id": ID, "retired": "x"}], id="the first of two entries"),
        pytest.param([{"id": ID, "mounts": ["a"]}, {"id": ID, "mounts": ["b", "a"]}], [], [{"id": ID, "mounts": ["a", "b"]}], id="the mounts of both"),
        pytest.param([{"id": ID}, {"id": ID, "mounts": ["b"]}], [], [{"id": ID, "mounts": ["b"]}], id="the mounts of the second"),
        pytest.param([{"id": LATER}, {"id": ID}], [ID], [{"id": ID}], id="the published tree"),
        pytest.param([{"id": LATER}, {"id": ID}], [ID, LATER], [{"id": LATER}, {"id": ID}], id="the published tree of an incomplete swap"),
    ],
)
def test_a_generation_counts_once(place: Place, listed: list[dict[str, Any]], directories: list[str], kept: list[dict[str, Any]]) -> None:
    for name in directories:
        os.makedirs(os.path.join(place.generations, name))
    _state(place, {**GOOD, "published": {"id": LATER}, "generations": listed})
    assert record.load(place)["generations"] == kept


CLOCK = 1795562071.0  # 2026-11-24T23:14:31Z


@pytest.mark.parametrize(
    ("retired", "installed", "healed"),
    [
        pytest.param("2031-01-01T00:00:00Z", CLOCK - 5, True, id="years ahead"),
        pytest.param("2026-11-25T00:14:32Z", CLOCK - 5, True, id="an hour and a second ahead"),
        pytest.param("2026-11-25T00:14:31Z", CLOCK - 5, False, id="an hour ahead"),
        pytest.param("2026-11-01T00:00:00Z", CLOCK - 5, False, id="in the past"),
        pytest.param("2031-01-01T00:00:00Z", CLOCK + 90_000, False, id="a clock that is behind the installation"),
        pytest.param(None, CLOCK - 5, False, id="no time"),
    ],
)
def test_times_of_a_clock_that_was_ahead(monkeypatch: pytest.MonkeyPatch, place: Place, retired: str | None, installed: float, healed: bool) -> None:
    entry = {"id": ID, **({"retired": retired} if retired else {})}
    _state(place, {**GOOD, "generations": [entry]})
    monkeypatch.setattr(record.time, "time", lambda: CLOCK)
    monkeypatch.setattr(record, "now", lambda: "2026-11-24T23:14:31Z")
    replace_os(monkeypatch, record, stat=lambda path: SimpleNamespace(st_mtime=installed))
    log: list[str] = []
    record.heal_times(place, log.append)
    assert record.load(place)["generations"] == [{**entry, "retired": "2026-11-24T23:14:31Z"} if healed else entry]
    assert [ID in line for line in log] == [True] * healed


def test_an_image_without_a_record_has_no_history(place: Place) -> None:
    assert record.load(place) == {"format": 1, "image": "aa", "generations": []}


def test_a_record_that_was_saved_is_loaded(place: Place) -> None:
    content = {**GOOD, "published": {"id": LATER, "packages": [{"name": "git", "to": "1"}]}, "hold": {"since": "x", "generation": ID}}
    record.save(place, content)
    assert record.load(place) == content


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="the least"),
        pytest.param({"published": {"id": LATER}}, id="a tree without a known maintenance"),
        pytest.param({"generations": []}, id="no generation"),
        pytest.param({"generations": [{"id": ID, "mounts": ["0:40 rw"], "retired": "x"}]}, id="a generation with mounts"),
        pytest.param({"published": {"id": LATER, "tasks_changed": 3, "playbook": "/x", "creation": {"suite": "sid"}}}, id="all of a maintenance"),
        pytest.param({"later": 1, "published": {"id": LATER, "later": []}}, id="fields of a later version of the same format"),
        pytest.param({"last_run": {"result": "failed", "seconds": 1.5}}, id="a last run"),
        pytest.param({"last_run": {"seconds": 2}}, id="a whole number of seconds"),
    ],
)
def test_a_record_that_is_accepted(place: Place, more: dict[str, Any]) -> None:
    _state(place, {**GOOD, **more})
    assert record.load(place) == {**GOOD, **more}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b" null\n", id="null in a line"),
        pytest.param({**GOOD, "generations": [{"id": "99991231T235959Z"}]}, id="an id of the year 9999"),
        pytest.param([], id="a list"),
        pytest.param("text", id="text"),
        pytest.param({}, id="empty"),
        pytest.param({**GOOD, "format": "1"}, id="a format that is text"),
        pytest.param({**GOOD, "format": 2}, id="a newer format"),
        pytest.param({"format": 1, "image": "aa"}, id="no generations"),
        pytest.param({**GOOD, "generations": {}}, id="generations that are no list"),
        pytest.param({**GOOD, "generations": [ID]}, id="a generation that is text"),
        pytest.param({**GOOD, "generations": [{}]}, id="a generation without an id"),
        pytest.param({**GOOD, "generations": [{"id": "../../etc"}]}, id="an id that is a path"),
        pytest.param({**GOOD, "generations": [{"id": 20261123}]}, id="an id that is a number"),
        pytest.param({**GOOD, "generations": [{"id": ID, "retired": 5}]}, id="a time that is a number"),
        pytest.param({**GOOD, "generations": [{"id": ID, "mounts": "0:40"}]}, id="mounts that are text"),
        pytest.param({**GOOD, "generations": [{"id": ID, "mounts_complete": "no"}]}, id="a truth value that is text"),
        pytest.param({**GOOD, "generations": [{"id": ID, "mounts": ["0:40", 5]}]}, id="a mount that is a number"),
        pytest.param({**GOOD, "generations": [{"id": ID, "mounts": [{}]}]}, id="a mount that is a mapping"),
        pytest.param({**GOOD, "published": None}, id="a published tree that is null"),
        pytest.param({**GOOD, "published": {"id": ID, "tasks_changed": "3"}}, id="a count that is text"),
        pytest.param({**GOOD, "published": {"id": ID, "creation": []}}, id="a creation that is a list"),
        pytest.param({**GOOD, "published": {"id": ID, "packages": {}}}, id="packages that are no list"),
        pytest.param({**GOOD, "published": {"id": ID, "packages": ["git"]}}, id="a package that is text"),
        pytest.param({**GOOD, "published": {"id": ID, "packages": [{"to": "1"}]}}, id="a package without a name"),
        pytest.param({**GOOD, "hold": True}, id="a hold that is no mapping"),
        pytest.param({**GOOD, "hold": {"since": "x"}}, id="a hold without a generation"),
        pytest.param({**GOOD, "hold": {"since": "x", "generation": 5}}, id="a hold on a number"),
        pytest.param({**GOOD, "image": "bb"}, id="the record of another image"),
        pytest.param({"format": 1, "generations": []}, id="the record of no image"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"", id="an empty file"),
        pytest.param(b"[" * 100_000, id="JSON that is too deep"),
        pytest.param(b'{"image": "\xff"}', id="no UTF-8"),
    ],
)
def test_a_record_that_is_refused(place: Place, content: Any) -> None:
    path = _state(place, content)
    with pytest.raises(RunnerError) as error:
        record.load(place)
    assert str(path) in error.value.found
    # Each says how to go on.
    assert any(word in str(error.value) for word in ("restore it from a backup", "install that version"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "is not a file of nspawn.runner: REMEDY"),
        ({"format": 1, "image": "x", "generations": []}, "is of the image 'x', not of aa: REMEDY"),
        ({**GOOD, "generations": {}}, "is damaged: REMEDY"),
        ({**GOOD, "generations": [{"id": "../../x"}]}, "is damaged: REMEDY"),
        ({**GOOD, "published": {"id": 1}}, "is damaged: REMEDY"),
    ],
)
def test_the_message_about_a_record(place: Place, content: Any, problem: str) -> None:
    path = _state(place, content)
    before = path.read_bytes()
    with pytest.raises(RunnerError) as error:
        record.load(place)
    remedy = "restore it from a backup, or move it away, which loses the image's history"
    assert str(error.value) == f"{path} {problem.replace('REMEDY', remedy)}"
    assert path.read_bytes() == before


def test_a_record_that_cannot_be_read_says_why(place: Place) -> None:
    os.mkdir(os.path.join(place.state, "state.json"))
    with pytest.raises(RunnerError) as error:
        record.load(place)
    assert os.path.join(place.state, "state.json") in error.value.found
    assert "Is a directory" in str(error.value)
    assert "Is a directory" not in error.value.remedy


def test_a_record_is_not_read_through_a_link(place: Place) -> None:
    Path(place.root, "other").write_text(json.dumps(GOOD))
    os.symlink(os.path.join(place.root, "other"), os.path.join(place.state, "state.json"))
    with pytest.raises(RunnerError):
        record.load(place)


def test_a_fifo_in_place_of_a_record_does_not_block(place: Place) -> None:
    os.mkfifo(os.path.join(place.state, "state.json"))
    with pytest.raises(RunnerError):
        record.load(place)


def _packages(number: int) -> list[dict[str, str]]:
    return [{"name": f"p{index}", "from": "1", "to": "2"} for index in range(number)]


def test_a_record_of_any_number_of_packages_can_be_read_again(place: Place) -> None:
    longest = [{"name": f"{index:0255}:{'x' * 255}", "from": "1" * 255, "to": "2" * 255} for index in range(50_000)]
    trees = [{"id": f"202611{day:02}T231500Z", "packages": longest} for day in range(22, 1, -1)]
    record.save(place, {**GOOD, "published": trees[0], "last_run": {"packages": longest, "msg": "\x1b" * 1_000_000}, "generations": trees[1:]})
    content = record.load(place)
    assert content["published"]["packages"] == longest[:10_000]
    assert content["published"]["packages_omitted"] == 40_000
    assert content["generations"][19] == {"id": "20261102T231500Z", "packages": [], "packages_omitted": 50_000}


def test_the_packages_of_the_newest_trees_are_kept(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(record, "_CHANGES", 10)
    ids = (LATER, ID, "20261122T231500Z")
    trees = [{"id": name, "packages": _packages(number)} for name, number in zip(ids, (4, 3, 5))]
    content = {**GOOD, "last_run": {"packages": _packages(2)}, "published": trees[0], "generations": [*trees[1:], {"id": "20261121T231500Z"}]}
    before = json.dumps(content)
    record.save(place, content)
    assert json.dumps(content) == before
    saved = record.load(place)
    assert (saved["published"], saved["last_run"], saved["generations"][0]) == (content["published"], content["last_run"], trees[1])
    assert saved["generations"][1:] == [{"id": ids[2], "packages": _packages(1), "packages_omitted": 4}, {"id": "20261121T231500Z"}]
    newer = {"id": "20261123T231501Z", "packages": _packages(3)}
    record.save(place, {**saved, "generations": [newer, *saved["generations"]]})
    assert record.load(place)["generations"][2] == {"id": ids[2], "packages": [], "packages_omitted": 5}


def test_a_record_that_could_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    path = _state(place, GOOD)
    before = path.read_bytes()
    monkeypatch.setattr(record, "_LIMIT", 1000)
    with pytest.raises(RunnerError) as error:
        record.save(place, {**GOOD, "generations": [{"id": ID}] * 100})
    assert str(path) in error.value.found
    assert path.read_bytes() == before


def test_a_record_that_is_too_large_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    path = _state(place, GOOD)
    monkeypatch.setattr(record, "_LIMIT", path.stat().st_size)
    assert record.load(place) == GOOD
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RunnerError) as error:
        record.load(place)
    assert "is larger than" in error.value.found
    assert "restore it from a backup" in error.value.remedy


def test_ids_are_of_the_record_and_of_the_directories(place: Place) -> None:
    for name in ("20260101T000000Z", "20260102T000000Z"):
        os.makedirs(os.path.join(place.generations, name))
    content = {"generations": [{"id": "20260103T000000Z"}], "published": {"id": "20260104T000000Z"}}
    assert record.ids(place, content) == {f"2026010{day}T000000Z" for day in (1, 2, 3, 4)}


def test_directories_are_listed_from_the_newest(place: Place) -> None:
    assert record.directories(place) == []
    for name in ("20260101T000000Z", "20260103T000000Z", "20260102T000000Z"):
        os.makedirs(os.path.join(place.generations, name))
    assert record.directories(place) == ["20260103T000000Z", "20260102T000000Z", "20260101T000000Z"]


RUN = {"started": "2026-11-24T00:00:00Z", "seconds": 1.5, "result": "failed", "tasks_changed": 0, "msg": "no"}


@pytest.mark.parametrize(
    ("last", "result", "since", "failed_runs"),
    [
        pytest.param(None, "failed", "2026-11-24T00:00:00Z", 1, id="the first run"),
        pytest.param({"result": "failed", "failed_runs": 3, "since": "2026-11-21T00:00:00Z"}, "failed", "2026-11-21T00:00:00Z", 4, id="a failure again"),
        pytest.param({"result": "busy", "failed_runs": 1, "since": "2026-11-23T00:00:00Z"}, "failed", "2026-11-23T00:00:00Z", 2, id="busy, then failed"),
        pytest.param({"result": "failed", "started": "2026-11-23T00:00:00Z"}, "failed", "2026-11-23T00:00:00Z", 2, id="a record of an earlier version"),
        pytest.param({"result": "published", "started": "2026-11-23T00:00:00Z"}, "failed", "2026-11-24T00:00:00Z", 1, id="a failure after a success"),
        pytest.param({"result": "failed", "failed_runs": 3}, "unchanged", "2026-11-24T00:00:00Z", None, id="a success after failures"),
        pytest.param({"result": "unchanged", "since": "2026-11-01T00:00:00Z"}, "unchanged", "2026-11-01T00:00:00Z", None, id="the same success"),
        pytest.param({"result": "held", "since": "2026-11-01T00:00:00Z"}, "published", "2026-11-24T00:00:00Z", None, id="a release"),
        # A hold that is older than its limit has the result `failed`.
        pytest.param({"result": "held", "since": "2026-11-01T00:00:00Z"}, "failed", "2026-11-24T00:00:00Z", 1, id="a hold that is too old"),
    ],
)
def test_runs_in_a_row_are_counted(place: Place, last: dict[str, Any] | None, result: str, since: str, failed_runs: int | None) -> None:
    _state(place, {**GOOD, **({"last_run": last} if last else {})})
    entry = record.save_run(place, {**RUN, "result": result}, result == "failed")
    assert (entry["since"], entry.get("failed_runs")) == (since, failed_runs)
    assert record.load(place) == {**GOOD, "last_run": entry}


def test_a_record_of_trees_leaves_the_last_run_alone(place: Place) -> None:
    record.save(place, {**GOOD, "last_run": {"result": "published"}})
    before = record.load(place)
    entry = record.save_run(place, RUN, True)
    record.save(place, {**before, "generations": []})
    assert record.load(place) == {**GOOD, "generations": [], "last_run": entry}


def test_a_damaged_record_is_not_replaced_by_a_run(place: Place) -> None:
    path = _state(place, b"{")
    with pytest.raises(RunnerError, match="is not valid JSON"):
        record.save_run(place, RUN, True)
    assert path.read_bytes() == b"{"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 minutes"), (60, "1 minute"), (7199, "1 hour"), (7200, "2 hours"), (86399, "23 hours"), (86400, "1 day"), (12.5 * 86400, "12 days")],
)
def test_age(seconds: float, text: str) -> None:
    assert record.age(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))) == text


def test_a_time_that_is_none_has_no_age() -> None:
    assert [record.age(value) for value in (None, "yesterday", 5)] == ["", "", ""]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """An image with a record, in a root directory of any owner."""
    monkeypatch.setattr(record.os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(place_module, "check_root", lambda root: None)
    monkeypatch.setattr(place_module, "_check_directory", lambda path: None)
    place = Place(str(tmp_path / "root"), "aa")
    os.makedirs(place.state, mode=0o700)
    record.save(place, GOOD)
    return place


def test_a_group_gets_a_copy_of_the_record_and_nothing_else(shared: Place) -> None:
    before = os.umask(0o077)
    try:
        record.share(shared, os.getgid())
    finally:
        os.umask(before)
    copy = Path(f"{shared.root}-state/aa.json")
    assert json.loads(copy.read_text()) == record.load(shared)
    assert (stat.S_IMODE(copy.stat().st_mode), copy.stat().st_gid) == (0o640, os.getgid())
    assert (stat.S_IMODE(copy.parent.stat().st_mode), stat.S_IMODE(os.stat(shared.state).st_mode)) == (0o755, 0o700)
    assert stat.S_IMODE(os.stat(os.path.join(shared.state, "state.json")).st_mode) == 0o600


def test_the_copy_follows_each_change_until_it_is_removed(shared: Place) -> None:
    copy = Path(shared.shared)
    record.share(shared, os.getgid())
    record.save_run(shared, RUN, True)
    assert json.loads(copy.read_text())["last_run"]["failed_runs"] == 1
    record.save(shared, {**GOOD, "hold": {"since": "2026-11-24T08:00:00Z", "generation": ID}})
    assert json.loads(copy.read_text()) == record.load(shared)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    record.share(shared, None)
    assert not copy.parent.exists()
    record.save(shared, GOOD)
    assert not copy.parent.exists()


def test_a_file_of_the_user_beside_the_root_directory_stays(shared: Place) -> None:
    copy = Path(shared.shared)
    copy.parent.mkdir()
    copy.write_text('{"image": "other"}')
    record.save(shared, GOOD)
    record.share(shared, None)
    assert copy.read_text() == '{"image": "other"}'


def test_a_directory_of_another_user_gets_no_copy(monkeypatch: pytest.MonkeyPatch, shared: Place) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(place_module, "check_root", lambda root: None)
    os.symlink("/nonexistent", f"{shared.root}-state")
    with pytest.raises(RunnerError, match="is a symbolic link"):
        record.share(shared, os.getgid())


def test_a_run_in_place_is_noted_at_the_published_tree_alone(tmp_path: Path) -> None:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    record.mark_in_place(place)
    assert os.listdir(place.state) == []
    content = {"format": 1, "image": "aa", "published": {"id": "20261124T231500Z"}, "generations": [{"id": "20261123T231500Z"}]}
    record.save(place, content)
    record.mark_in_place(place)
    saved = record.load(place)
    assert record.seconds(saved["published"].pop("in_place")) is not None
    assert saved == content


def _fill(monkeypatch: pytest.MonkeyPatch, place: Place) -> list[str]:
    """A disk on which a file can be written only in the room of the reserve. Returns the paths of all writes."""
    written: list[str] = []
    write_text = files.write_text

    def full(path: str, text: str) -> None:
        written.append(path)
        if Path(place.state, "reserve").exists():
            problem = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise RunnerError(f"{path} cannot be written: No space left on device") from problem
        write_text(path, text)

    monkeypatch.setattr(record.files, "write_text", full)
    monkeypatch.setattr(record.files, "sync_file_system", lambda path: None)
    return written


def test_on_a_full_disk_the_record_gets_the_room_of_the_reserve(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    record.keep_reserve(place)
    written = _fill(monkeypatch, place)
    record.save(place, GOOD)
    assert (record.load(place), len(written)) == (GOOD, 2)
    assert os.listdir(place.state) == ["state.json"]


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_another_error_leaves_the_reserve(monkeypatch: pytest.MonkeyPatch, place: Place, number: int) -> None:
    def fail(path: str, text: str) -> None:
        raise RunnerError("cannot be written") from OSError(number, "")

    record.keep_reserve(place)
    monkeypatch.setattr(record.files, "write_text", fail)
    with pytest.raises(RunnerError):
        record.save(place, GOOD)
    assert os.listdir(place.state) == ["reserve"]


def test_without_a_reserve_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    def fail(path: str, text: str) -> None:
        raise RunnerError("cannot be written") from OSError(errno.ENOSPC, "")

    monkeypatch.setattr(record.files, "write_text", fail)
    with pytest.raises(RunnerError, match="cannot be written"):
        record.save(place, GOOD)


@pytest.mark.parametrize("before", [None, b"", b"x" * 70000, b"x" * 90000])
def test_the_reserve_has_room_for_a_record_like_the_last_one_and_the_log(place: Place, before: bytes | None) -> None:
    _state(place, b" " * 20000)
    path = Path(place.state, "reserve")
    if before is not None:
        path.write_bytes(before)
    record.keep_reserve(place)
    assert path.stat().st_size == max(85536, len(before or b""))
    assert path.stat().st_blocks * 512 >= 85536
    assert path.stat().st_mode & 0o777 in (0o600, 0o644)


def test_a_reserve_that_finds_no_room_is_none(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(record.os, "fsync", fsync)
    record.keep_reserve(place)
    assert os.listdir(place.state) == []


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(record, "UNRECORDED", str(tmp_path / "run/unrecorded"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run/unrecorded"


def test_a_run_that_cannot_be_recorded_is_recorded_later(place: Place, memory: Path) -> None:
    record.save(place, GOOD)
    assert record.unrecorded(place) is None
    record.keep_unrecorded(place, {**RUN, "msg": "x" * 5000})
    assert record.unrecorded(place) == {**RUN, "msg": "x" * 4096}
    assert record.unrecorded(Place(place.root, "bb")) is None
    assert memory.stat().st_mode & 0o777 == 0o700
    record.save_unrecorded(place)
    assert record.load(place)["last_run"] == {**RUN, "msg": "x" * 4096, "since": RUN["started"], "failed_runs": 1}
    assert (record.unrecorded(place), os.listdir(memory)) == (None, [])


def test_a_later_run_replaces_the_one_that_could_not_be_recorded(place: Place, memory: Path) -> None:
    record.keep_unrecorded(place, RUN)
    record.save_run(place, {**RUN, "result": "published"}, False)
    record.save_unrecorded(place)
    assert record.load(place)["last_run"]["result"] == "published"


def test_while_the_record_cannot_be_written_the_run_stays_in_memory(monkeypatch: pytest.MonkeyPatch, place: Place, memory: Path) -> None:
    record.keep_unrecorded(place, RUN)

    def fail(place: Place, content: dict[str, Any]) -> None:
        raise RunnerError("no")

    monkeypatch.setattr(record, "_write", fail)
    record.save_unrecorded(place)
    assert record.unrecorded(place) == RUN


@pytest.mark.parametrize("content", ["null", "[]", "{}", '{"started": 5}', "{"])
def test_a_damaged_file_in_memory_is_no_run(place: Place, memory: Path, content: str) -> None:
    record.keep_unrecorded(place, RUN)
    (path,) = memory.iterdir()
    path.write_text(content)
    record.save_unrecorded(place)
    assert not Path(place.state, "state.json").exists()


def test_without_a_place_in_memory_nothing_happens(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(record, "UNRECORDED", "/proc/none/x")
    record.keep_unrecorded(place, RUN)
    assert record.unrecorded(place) is None

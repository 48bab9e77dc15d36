# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

pytest.importorskip("ansible", reason="the doctor looks at Ansible too")

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import images
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Subject

SETTINGS = {"nspawn_runner_chroot_suite": "sid", "nspawn_runner_keep_days": 7, "nspawn_runner_keep_generations": 2}
MIB = 1 << 20


def _rows(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, str, str]]:
    """Result, found and remedy of each line."""
    full = [(*row, "")[:3] for row in rows]
    return [(result, found, remedy) for result, found, remedy in full]


def _subject(root: str | Path, settings: dict[str, Any] | None = SETTINGS, playbook: bool = True, problem: RunnerError | None = None) -> Subject:
    image = Image("aa", str(root), f"{root}/aa", f"{root}/aa.yml" if playbook else "")
    return Subject(image, "nspawn.runner.nspawn", settings if playbook and not problem else None, problem)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A root directory whose owner does not matter."""
    monkeypatch.setattr(images, "check_root", lambda root: None)
    return tmp_path


@pytest.mark.parametrize(
    ("mode", "result", "word"),
    [(0o700, OK, ""), (0o750, OK, ""), (0o755, WARNING, "run chmod 0700"), (0o711, WARNING, "run chmod 0700")],
)
def test_a_root_directory_that_every_user_can_enter(root: Path, mode: int, result: str, word: str) -> None:
    root.chmod(mode)
    ((got, found, remedy),) = _rows(images.root(str(root)))
    assert got == result
    assert str(root) in found
    assert remedy == (f"{word} {root}" if word else "")


def test_a_root_directory_that_is_missing_is_made_by_a_run(root: Path) -> None:
    ((result, found, _remedy),) = _rows(images.root(f"{root}/no/where"))
    assert (result, found) == (OK, f"{root}/no/where is created by the first run")


@pytest.mark.parametrize("path", ["images", "/"])
def test_a_root_directory_that_is_refused_is_an_error(path: str) -> None:
    with pytest.raises(RunnerError):
        list(images.root(path))


def _file_system(
    monkeypatch: pytest.MonkeyPatch, subvolumes: bool = False, btrfs: bool = False, shares: bool = False, blocks: int = 1000, free: int = 900
) -> None:
    """A file system of so many MiB."""
    space = SimpleNamespace(f_blocks=blocks, f_bfree=free, f_bavail=free, f_frsize=MIB)
    monkeypatch.setattr(images, "has_subvolumes", lambda path: subvolumes)
    monkeypatch.setattr(images, "is_btrfs", lambda path: btrfs)
    monkeypatch.setattr(images.stage, "shares_extents", lambda path: shares)
    replace_os(monkeypatch, images, statvfs=lambda path: space)


@pytest.mark.parametrize(
    ("kind", "result", "found", "remedy"),
    [
        pytest.param({"subvolumes": True, "btrfs": True}, OK, "snapshots, on btrfs; 900 MiB are free", "", id="btrfs"),
        pytest.param({"btrfs": True}, WARNING, "no snapshots", "run apt install btrfs-progs", id="btrfs without its program"),
        pytest.param({"shares": True}, OK, "share their blocks; 900 MiB are free", "", id="xfs"),
        pytest.param({}, OK, "plain; 900 MiB are free", "", id="a file system that copies every block"),
    ],
)
def test_copies(monkeypatch: pytest.MonkeyPatch, root: Path, kind: dict[str, bool], result: str, found: str, remedy: str) -> None:
    _file_system(monkeypatch, **kind)
    ((got, text, how),) = _rows(images.copies(str(root), [_subject(root)]))
    assert (got, how) == (result, remedy)
    assert text.startswith(found)


@pytest.mark.parametrize(
    ("size", "missing"),
    [
        pytest.param(100, None, id="the tree is small"),
        pytest.param(500, 126, id="the tree does not fit a second time"),
    ],
)
def test_room_for_a_plain_copy(monkeypatch: pytest.MonkeyPatch, root: Path, size: int, missing: int | None) -> None:
    (root / "aa").mkdir()
    _file_system(monkeypatch, free=400)
    monkeypatch.setattr(images.stage, "used", lambda tree, unit: size * MIB)
    ((result, found, remedy),) = _rows(images.copies(str(root), [_subject(root)]))
    assert result == (PROBLEM if missing else OK)
    assert not missing or str(root) in found
    assert not missing or f"{missing} MiB" in remedy


def test_only_the_trees_of_this_root_are_measured(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    measured: list[str] = []
    (root / "aa").symlink_to("/tmp")
    _file_system(monkeypatch, free=400)
    monkeypatch.setattr(images.stage, "used", lambda tree, unit: measured.append(tree) or 0)
    assert _rows(images.copies(str(root), [_subject(root), _subject("/usr/.."), _subject("/elsewhere")]))[0][0] == OK
    assert measured == []


def test_the_room_of_a_root_that_is_missing_is_its_parents(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    asked: list[str] = []
    _file_system(monkeypatch)
    monkeypatch.setattr(images, "has_subvolumes", lambda path: asked.append(path) or True)
    assert _rows(images.copies(f"{root}/no/where", []))[0][0] == OK
    assert asked == [str(root)]


def _state(root: Path, **content: Any) -> None:
    state = root / ".nspawn-runner/aa"
    state.mkdir(parents=True, exist_ok=True)
    (state / "state.json").write_text(json.dumps({"format": 1, "image": "aa", "generations": [], **content}))


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that can make each image."""
    monkeypatch.setattr(images.bootstrap, "plan", lambda options: {})


@pytest.mark.parametrize(
    ("tree", "playbook", "found"),
    [
        (True, True, "exists"),
        (False, True, "is created by the next run"),
        (True, False, "has no playbook, so no maintenance changes it"),
    ],
)
def test_an_image_where_all_is_well(planned: None, root: Path, tree: bool, playbook: bool, found: str) -> None:
    if tree:
        (root / "aa").mkdir()
    assert [row[:2] for row in _rows(images.image(_subject(root, playbook=playbook)))] == [(OK, found)]


def test_an_image_whose_last_run_was_fine_is_well(planned: None, root: Path) -> None:
    (root / "aa").mkdir()
    _state(root, last_run={"started": "2026-11-24T23:14:31Z", "result": "published"})
    assert [row[0] for row in _rows(images.image(_subject(root)))] == [OK]


def test_a_playbook_that_is_refused_is_named(root: Path) -> None:
    ((result, found, remedy),) = _rows(images.image(_subject(root, problem=RunnerError("unknown variable nspawn_runner_x"))))
    assert (result, found) == (PROBLEM, "unknown variable nspawn_runner_x")
    assert f"{root}/aa.yml" in remedy


def test_a_remedy_of_the_problem_itself_comes_first(root: Path) -> None:
    assert _rows(images.image(_subject(root, problem=RunnerError("found", "remedy")))) == [(PROBLEM, "found", "remedy")]


@pytest.mark.parametrize(("tree", "result"), [(True, WARNING), (False, PROBLEM)])
def test_an_image_that_cannot_be_made_is_a_problem_when_it_is_missing(monkeypatch: pytest.MonkeyPatch, root: Path, tree: bool, result: str) -> None:
    def fail(options: dict[str, Any]) -> dict[str, Any]:
        raise RunnerError("mmdebstrap or debootstrap is not installed", "run apt install mmdebstrap")

    monkeypatch.setattr(images.bootstrap, "plan", fail)
    if tree:
        (root / "aa").mkdir()
    rows = _rows(images.image(_subject(root)))
    assert rows == [(result, "mmdebstrap or debootstrap is not installed", rows[0][2])]
    assert rows[0][2].endswith("apt install mmdebstrap")


@pytest.mark.parametrize("tree", [True, False])
def test_a_playbook_that_does_not_say_how_the_image_is_made(planned: None, root: Path, tree: bool) -> None:
    if tree:
        (root / "aa").mkdir()
    settings = {name: value for name, value in SETTINGS.items() if name != "nspawn_runner_chroot_suite"}
    rows = _rows(images.image(_subject(root, settings)))
    if tree:
        assert [row[0] for row in rows] == [OK]
        return
    ((result, _found, remedy),) = rows
    assert result == PROBLEM
    assert "nspawn_runner_chroot_suite" in remedy
    assert f"{root}/aa.yml" in remedy


HOLD = {"since": "2026-11-24T08:00:00Z", "generation": "20261123T231500Z"}


@pytest.mark.parametrize("result", ["failed", "busy"])
def test_an_image_that_is_held_and_whose_last_run_failed(planned: None, root: Path, result: str) -> None:
    _state(root, hold=HOLD, last_run={"started": "2026-11-23T23:15:00Z", "result": result, "msg": "no", "log": "/last.log"})
    rows = _rows(images.image(_subject(root)))
    assert [row[0] for row in rows] == [WARNING, WARNING]
    assert HOLD["since"] in rows[0][1]
    assert rows[0][2].endswith("nspawn.runner.release --limit aa")
    assert "2026-11-23T23:15:00Z" in rows[1][1]
    assert f"{root}/.nspawn-runner/aa/last.log" in rows[1][2]


@pytest.mark.parametrize(
    ("run", "found", "remedy"),
    [
        pytest.param(
            {"failed_runs": 4, "since": "2026-11-20T23:15:00Z", "log": "/l"}, "the last 4 runs failed, since 2026-11-20T23:15:00Z", "see ", id="nights"
        ),
        pytest.param({"failed_runs": 1, "log": "/l"}, "the run of 2026-11-23T23:15:00Z failed", "see ", id="one night"),
        pytest.param({}, "the run of 2026-11-23T23:15:00Z failed: no", "", id="a run without a log"),
    ],
)
def test_failed_nights_are_counted(planned: None, root: Path, run: dict[str, Any], found: str, remedy: str) -> None:
    _state(root, last_run={"started": "2026-11-23T23:15:00Z", "result": "failed", "msg": "no", **run})
    ((result, shown, order),) = _rows(images.image(_subject(root)))
    assert (result, shown) == (WARNING, found)
    assert order.startswith(remedy)
    assert bool(order) == bool(remedy)


@pytest.mark.parametrize(("limit", "result"), [(None, WARNING), (12, PROBLEM), (13, WARNING)])
def test_a_hold_has_an_age_and_can_be_too_old(planned: None, root: Path, limit: int | None, result: str) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 12.5 * 86400))
    _state(root, hold={**HOLD, "since": since})
    ((shown, found, remedy),) = _rows(images.image(_subject(root, {**SETTINGS, "nspawn_runner_hold_days": limit})))
    assert (shown, found.startswith(f"held since {since}, for 12 days")) == (result, True)
    assert remedy.endswith("nspawn.runner.release --limit aa")
    assert ("nspawn_runner_hold_days" in found) == (result == PROBLEM)


def test_a_record_that_is_damaged_is_an_error(planned: None, root: Path) -> None:
    _state(root)
    (root / ".nspawn-runner/aa/state.json").write_text("{")
    with pytest.raises(RunnerError, match="is not valid JSON"):
        list(images.image(_subject(root)))


def test_a_record_that_is_a_directory_has_no_errno_as_its_remedy(planned: None, root: Path) -> None:
    (root / ".nspawn-runner/aa/state.json").mkdir(parents=True)
    with pytest.raises(RunnerError) as error:
        list(images.image(_subject(root)))
    assert "Is a directory" not in error.value.remedy


def _id(day: int) -> str:
    return f"202611{day}T231500Z"


@pytest.mark.parametrize(
    ("there", "named"),
    [
        pytest.param([20, 19, 18, 11], [11], id="older than seven days before the last run"),
        pytest.param([20, 19, 18], [], id="all are young"),
        pytest.param([11], [], id="the newest two are kept"),
        pytest.param([20, 19, 12, 11, 10], [11, 10], id="several, and one that it left for the next run"),
    ],
)
def test_generations_that_the_last_run_could_not_remove(planned: None, root: Path, there: list[int], named: list[int]) -> None:
    days = (20, 19, 18, 12, 11, 10)
    generations = [{"id": _id(day), "retired": f"2026-11-{day}T23:15:00Z", "mounts_complete": day != 12} for day in days]
    _state(root, generations=generations, last_run={"started": "2026-11-21T00:00:00Z", "result": "published"})
    for day in there:
        os.makedirs(root / ".nspawn-runner/aa/generations" / _id(day))
    rows = [row for row in _rows(images.image(_subject(root))) if row[0] != OK]
    if not named:
        assert rows == []
        return
    ((result, found, remedy),) = rows
    assert result == WARNING
    assert found.startswith(", ".join(map(_id, named)))
    assert f"{root}/.nspawn-runner/aa/last.log" in remedy


def test_without_settings_no_generation_is_due(root: Path) -> None:
    _state(root, generations=[{"id": _id(10)}], last_run={"started": "2026-11-21T00:00:00Z", "result": "published"})
    os.makedirs(root / ".nspawn-runner/aa/generations" / _id(10))
    assert [row[0] for row in _rows(images.image(_subject(root, playbook=False)))] == [OK]


@pytest.mark.parametrize("recorded", [None, {"started": "2026-11-23T08:00:00Z", "result": "published"}])
def test_a_run_that_is_not_recorded_yet_is_told(monkeypatch: pytest.MonkeyPatch, root: Path, recorded: dict[str, Any] | None) -> None:
    monkeypatch.setattr(images.record, "UNRECORDED", str(root / "memory"))
    place = images.Place(str(root), "aa")
    content = {"format": 1, "image": "aa", "generations": [], **({"last_run": recorded} if recorded else {})}
    run = {"started": "2026-11-24T08:00:00Z", "seconds": 1.0, "result": "failed", "tasks_changed": 0, "msg": "no room on /srv", "log": "/l"}
    images.record.keep_unrecorded(place, run)
    ((result, found, remedy),) = _rows(images._history(place, content, SETTINGS))
    assert result == WARNING
    assert [word for word in ("2026-11-24T08:00:00Z (failed)", "state.json", "no room on /srv") if word not in found] == []
    assert "next run" in remedy

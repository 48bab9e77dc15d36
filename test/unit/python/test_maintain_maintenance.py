# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ansible", reason="a maintenance runs ansible-playbook")

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import maintenance

SETTINGS = {
    "nspawn_runner_chroot_suite": "sid",
    "nspawn_runner_maint_recreate": False,
    "nspawn_runner_keep_failed": False,
    "nspawn_runner_keep_generations": 2,
    "nspawn_runner_keep_days": 7,
}


def _job(root: str | Path = "/nonexistent", create_only: bool = False, check: bool = False, diff: bool = False, **settings: Any) -> maintenance.Job:
    image = Image("aa", str(root), f"{root}/aa", f"{root}/aa.yml")
    return maintenance.Job(image, {**SETTINGS, **settings}, {}, create_only, check, diff)


@pytest.mark.parametrize(
    ("problem", "result", "msg"),
    [
        pytest.param(Busy("/srv/aa is in use", "wait"), "busy", "/srv/aa is in use: wait", id="a tree in use"),
        pytest.param(RunnerError("no tar", "run apt install tar"), "failed", "no tar: run apt install tar", id="an error of the collection"),
        pytest.param(PermissionError(13, "Permission denied", "/srv/x"), "failed", "/srv/x: Permission denied", id="an error of the system"),
        pytest.param(OSError(28, "No space left on device"), "failed", "/nonexistent/.nspawn-runner/aa: No space left", id="an error without a file"),
    ],
)
def test_a_problem_becomes_a_result(monkeypatch: pytest.MonkeyPatch, problem: Exception, result: str, msg: str) -> None:
    def fail(job: maintenance.Job) -> maintenance.Result:
        raise problem

    monkeypatch.setattr(maintenance, "_maintain", fail)
    outcome = maintenance.maintain(_job())
    assert (outcome["failed"], outcome["changed"], outcome["result"]) == (True, False, result)
    assert outcome["msg"].startswith(msg)


def test_a_tree_that_exists_is_not_created(tmp_path: Path) -> None:
    (tmp_path / "aa").mkdir()
    result = maintenance.maintain(_job(tmp_path, create_only=True))
    assert (result["changed"], result["result"]) == (False, "unchanged")
    assert os.listdir(tmp_path) == ["aa"]


@pytest.mark.parametrize(
    ("settings", "create_only", "missing", "created"),
    [
        pytest.param({}, False, True, True, id="a missing tree"),
        pytest.param({}, True, True, True, id="a missing tree, to be created only"),
        pytest.param({}, False, False, False, id="a tree that exists"),
        pytest.param({"nspawn_runner_maint_recreate": True}, False, False, True, id="a tree that is to be made again"),
        pytest.param({"nspawn_runner_maint_recreate": True}, True, False, False, id="creation only makes no tree again"),
    ],
)
def test_when_a_tree_is_made(settings: dict[str, Any], create_only: bool, missing: bool, created: bool) -> None:
    creation = maintenance._creation(_job(create_only=create_only, **settings), missing)
    assert (creation is not None) == created
    if creation:
        assert (creation["name"], creation["root"], creation["suite"], creation["recreate"]) == ("aa", "/nonexistent", "sid", not missing)
        # The module's own defaults are not used.
        assert creation["keyring"] is None


@pytest.mark.parametrize("missing", [True, False])
def test_a_tree_without_a_source_cannot_be_made(missing: bool) -> None:
    job = _job(nspawn_runner_chroot_suite=None, nspawn_runner_maint_recreate=True)
    with pytest.raises(RunnerError) as error:
        maintenance._creation(job, missing)
    names = ("nspawn_runner_chroot_suite", "nspawn_runner_create_command", "nspawn_runner_tarball", "/nonexistent/aa.yml")
    assert [name for name in names if name not in str(error.value)] == []


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        pytest.param({"nspawn_runner_chroot_suite": "sid"}, {"suite": "sid"}, id="a suite"),
        pytest.param({"nspawn_runner_create_command": ["x"], "nspawn_runner_packages": []}, {"command": ["x"], "packages": []}, id="an empty list is a value"),
        pytest.param({"nspawn_runner_tarball": "/a", "nspawn_runner_tarball_checksum": "md5:x"}, {"tarball": "/a", "checksum": "md5:x"}, id="an archive"),
        pytest.param({"nspawn_runner_mirror": None, "nspawn_runner_keep_days": 3}, {}, id="no value, and another variable"),
    ],
)
def test_creation_options_come_from_the_images_variables(settings: dict[str, Any], options: dict[str, Any]) -> None:
    assert maintenance._creation_options(settings) == options


@pytest.mark.parametrize(
    ("planned", "suite"),
    [({"bootstrap": "mmdebstrap"}, "sid"), ({"bootstrap": "command"}, ""), ({"bootstrap": "tarball"}, "")],
)
def test_a_suite_is_named_where_a_tool_made_the_tree(planned: dict[str, str], suite: str) -> None:
    text = maintenance._suite({"suite": "sid"}, planned)
    assert text.endswith(suite)
    assert bool(text) == bool(suite)


def test_a_held_image_says_since_when_and_how_it_is_released() -> None:
    result = maintenance._held(_job().image, {"hold": {"since": "2026-11-24T08:00:00Z", "generation": "20261123T231500Z"}})
    assert (result["changed"], result["result"]) == (False, "held")
    for word in ("2026-11-24T08:00:00Z", "20261123T231500Z", "nspawn.runner.release --limit aa"):
        assert word in result["msg"]


@pytest.mark.parametrize(("diff", "check_keys"), [(False, {"changed", "result", "created", "msg"}), (True, {"changed", "result", "created", "msg", "diff"})])
def test_check_mode_shows_a_creation(monkeypatch: pytest.MonkeyPatch, diff: bool, check_keys: set[str]) -> None:
    shown: list[str] = []
    monkeypatch.setattr(maintenance.chroot, "checked_plan", lambda creation: {"bootstrap": "mmdebstrap", "suite": "sid"})
    monkeypatch.setattr(maintenance.display, "display", lambda line: shown.append(line))
    result = maintenance._planned({"suite": "sid"}, _job(diff=diff), True)
    assert {*result} == check_keys
    assert (result["changed"], result["result"], result["created"]) == (True, "published", True)
    assert shown[0].startswith("aa | ")
    assert "sid" in shown[0]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 tasks changed"), (1, "1 task changed"), (2, "2 tasks changed")],
)
def test_counted(count: int, text: str) -> None:
    assert maintenance._counted(count, "task", "changed") == text


def test_a_playbook_has_a_checksum(tmp_path: Path) -> None:
    (tmp_path / "aa.yml").write_bytes(b"- hosts: all\n")
    assert maintenance._checksum(str(tmp_path / "aa.yml")) == hashlib.sha256(b"- hosts: all\n").hexdigest()


@pytest.mark.parametrize(("packages", "kept"), [(None, False), ([], True), ([{"name": "git", "to": "1"}], True)])
def test_the_last_run_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packages: Any, kept: bool) -> None:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    record.save(place, {"format": 1, "image": "aa", "generations": [], "published": {"id": "20261123T231500Z"}})
    result = {"result": "published", "msg": "done", "log": "/last.log", "tasks_changed": 2, "packages": packages}
    maintenance._remember(place, "2026-11-24T08:00:00Z", 1.5, result)
    content = record.load(place)
    assert content["published"] == {"id": "20261123T231500Z"}
    run = content["last_run"]
    assert (run["started"], run["seconds"], run["result"], run["tasks_changed"], run["msg"], run["log"]) == (
        *("2026-11-24T08:00:00Z", 1.5, "published", 2),
        *("done", "/last.log"),
    )
    assert ("packages" in run) == kept


def test_a_record_that_cannot_be_written_fails_no_run(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "none"), "aa")
    maintenance._remember(place, "x", 1.0, {"result": "failed", "msg": "no space", "log": "/last.log"})
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("settings", "check", "kept"),
    [
        ({"nspawn_runner_keep_failed": True}, False, True),
        ({"nspawn_runner_keep_failed": True}, True, False),
        ({"nspawn_runner_keep_failed": False}, False, False),
    ],
)
def test_a_failed_tree_is_kept_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], check: bool, kept: bool) -> None:
    monkeypatch.setattr(maintenance, "keep_failed", lambda place: place.failed)
    text = maintenance._kept(_job("/srv", check=check, **settings))
    assert ("/srv/.nspawn-runner/aa/failed" in text) == kept
    assert bool(text) == kept


def test_a_failed_tree_that_cannot_be_kept_is_no_second_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: Place) -> str:
        raise RunnerError("no room")

    monkeypatch.setattr(maintenance, "keep_failed", fail)
    assert "no room" in maintenance._kept(_job(nspawn_runner_keep_failed=True))


def test_each_option_of_a_creation_has_a_variable() -> None:
    from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import CHROOT
    from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import CREATION, VARIABLES

    assert {*CHROOT} - {*CREATION} == {"name", "root", "state", "recreate"}
    assert [variable for variable in CREATION.values() if variable not in VARIABLES] == []

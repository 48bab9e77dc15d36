# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._job import launch, state, sweep

NAME = "0123456789abcdef"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state, "JOBS_DIRECTORY", str(tmp_path / "run" / "jobs"))
    return tmp_path


def test_a_job_with_a_supervisor_is_not_taken() -> None:
    lock = state.make(NAME)
    assert state.take(NAME) is None
    assert not launch.remove_dead(NAME)
    os.close(lock)
    assert launch.remove_dead(NAME)
    assert state.names() == []
    assert state.take(NAME) is None


def test_a_name_is_made_once() -> None:
    os.close(state.make(NAME))
    with pytest.raises(RunnerError, match="exists already"):
        state.make(NAME)


def test_states_are_found_by_key_and_the_oldest_first() -> None:
    for index, name in enumerate(("f" * 16, NAME)):
        os.close(state.make(name))
        state.save(name, {"key": f"id {index // 2}", "created": index, "status": state.READY})
    os.close(state.make("e" * 16))
    assert [job.name for job in state.jobs()] == ["f" * 16, NAME]
    assert [job.name for job in state.find("id 0")] == ["f" * 16, NAME]
    assert state.find("id 1") == []
    assert state.load("a" * 16) is None
    assert state.load("e" * 16) == ("e" * 16, {})


def test_a_removal_touches_nothing_behind_a_mount_point(directory: Path) -> None:
    os.close(state.make(NAME))
    victim = Path(state.job_path(NAME), "binds", "0")
    victim.mkdir(parents=True)
    (victim / "file").touch()
    state.remove(NAME)
    assert (victim / "file").exists()
    (victim / "file").unlink()
    state.remove(NAME)
    assert not os.path.exists(state.job_path(NAME))


def test_notes_about_a_job() -> None:
    os.close(state.make(NAME))
    assert (state.stage(NAME), state.has_failed(NAME), state.kept_until(NAME)) == ({}, False, None)
    state.set_stage(NAME, "build_script")
    state.mark_failed(NAME)
    state.keep_until(NAME, 12.5)
    assert (state.stage(NAME)["stage"], state.has_failed(NAME), state.kept_until(NAME)) == ("build_script", True, 12.5)


def test_a_process_id_names_one_process() -> None:
    start = state.start_time(os.getpid())
    descriptor = state.process(os.getpid(), start)
    assert descriptor is not None
    os.close(descriptor)
    assert state.process(os.getpid(), f"{start}0") is None
    assert state.start_time(1 << 30) == ""


def _dead(root: Path, name: str, **content: object) -> None:
    os.close(state.make(name))
    disk = state.disk_path(str(root), name)
    os.makedirs(f"{disk}/upper")
    known = {"key": "id a", "created": 1, "pid": os.getpid(), "start": "0", "base": None, "disk": disk, "deadline": None, "status": state.READY}
    state.save(name, {**known, **content})


def test_a_sweep_removes_jobs_without_a_supervisor(directory: Path) -> None:
    _dead(directory, NAME)
    _dead(directory, "e" * 16, status=state.ENDED, ended=1.0)
    # A reboot leaves the directory on the disk alone.
    os.makedirs(state.disk_path(str(directory), "d" * 16))
    lock = state.make("a" * 16)
    assert sorted(sweep.sweep(str(directory))) == [NAME, "d" * 16, "e" * 16]
    assert state.names() == ["a" * 16]
    assert os.listdir(os.path.dirname(state.disk_path(str(directory), ""))) == []
    os.close(lock)


@pytest.mark.parametrize(("is_there", "is_kept", "removed"), [(False, False, [NAME]), (False, True, []), (True, False, [])])
def test_a_sweep_ends_a_job_whose_cleanup_was_killed(directory: Path, is_there: bool, is_kept: bool, removed: list[str]) -> None:
    response = directory / "response.json"
    if is_there:
        response.touch()
    lock = state.make(NAME)
    # Stands for the supervisor.
    supervisor = subprocess.Popen(["sleep", "1000"], pass_fds=[lock])
    os.close(lock)
    try:
        process = {"pid": supervisor.pid, "start": state.start_time(supervisor.pid)}
        job = {"base": None, "disk": state.disk_path(str(directory), NAME), "deadline": None, "status": state.READY}
        state.save(NAME, {**job, **process, "response": str(response)})
        if is_kept:
            state.keep_until(NAME, 12.5)
        assert sweep.sweep(str(directory)) == removed
        assert (supervisor.poll() is not None) == bool(removed)
    finally:
        supervisor.kill()
        supervisor.wait()


def test_a_sweep_leaves_the_reason_of_an_end_for_the_next_call(directory: Path) -> None:
    import time

    _dead(directory, NAME, status=state.ENDED, ended=time.time())
    assert sweep.sweep(str(directory)) == []
    assert state.names() == [NAME]


def test_directories_of_killed_logins(directory: Path) -> None:
    living, killed = state.make_login(), state.make_login()
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        one.bind(f"{living}/agent")
        one.listen(1)
        other.bind(f"{killed}/agent")
        other.close()
        state.remove_logins()
        assert (os.path.exists(living), os.path.exists(killed)) == (True, False)

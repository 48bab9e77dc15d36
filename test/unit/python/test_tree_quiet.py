# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use, quiet
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mounts import Mount, Place


@pytest.fixture(autouse=True)
def _locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Locks of systemd-nspawn, whose own directory only root can enter."""
    monkeypatch.setattr(in_use, "LOCKS", str(tmp_path / "locks"))


def test_a_tree_that_is_not_there_is_quiet(tmp_path: Path) -> None:
    with quiet.quiet(str(tmp_path / "none"), patience=0):
        pass


def test_a_tree_without_containers_is_quiet(tmp_path: Path) -> None:
    with quiet.quiet(str(tmp_path), patience=0):
        pass


def test_a_container_that_keeps_starting_makes_the_tree_busy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(quiet, "_starting", lambda locks: "4711")
    with pytest.raises(Busy) as error, quiet.quiet(str(tmp_path), patience=0):
        pass
    assert str(tmp_path) in error.value.found
    assert "process 4711" in error.value.found


def test_a_container_that_has_started_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    starting = ["7", "7", None]
    monkeypatch.setattr(quiet, "_starting", lambda locks: starting.pop(0))
    with quiet.quiet(str(tmp_path), patience=60):
        pass
    assert starting == []


def test_a_lock_that_was_taken_while_processes_were_looked_at_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held = [["a"], ["a", "b"], ["a", "b"], ["a", "b"]]
    monkeypatch.setattr(quiet, "_starting", lambda locks: None)
    monkeypatch.setattr(quiet, "_held", lambda locks: held.pop(0))
    with quiet.quiet(str(tmp_path), patience=60):
        pass
    assert held == []


def test_locks_that_are_held_are_lines_of_the_kernels_list(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert quiet._held([str(path)]) == []
    path.touch()
    assert quiet._held([str(path)]) == []
    descriptor = os.open(path, os.O_RDWR)
    os.lockf(descriptor, os.F_TLOCK, 0)
    assert len(quiet._held([str(path)])) == 1
    os.close(descriptor)


def test_a_process_that_has_a_file_locked_is_found(tmp_path: Path) -> None:
    path, pid = tmp_path / "lock", str(os.getpid())
    assert quiet._lock_ids([str(path)]) == set()
    path.touch()
    [id] = quiet._lock_ids([str(path), str(tmp_path / "none")])
    # Another file of the same name, and the file itself without a lock.
    (tmp_path / "elsewhere").mkdir()
    with (tmp_path / "elsewhere/lock").open("w") as namesake, path.open("w") as file:
        os.lockf(namesake.fileno(), os.F_TLOCK, 0)
        assert not quiet._holds(pid, {id})
        os.lockf(file.fileno(), os.F_TLOCK, 0)
        assert quiet._holds(pid, {id})
        assert not quiet._holds(pid, set())


def test_processes_are_paired_with_their_parents() -> None:
    assert list(quiet._with_parents([str(os.getpid()), "0"])) == [(str(os.getpid()), str(os.getppid()))]


def test_a_process_that_has_ended_is_no_container() -> None:
    assert quiet._root("0") is None
    assert not quiet._is_nspawn("0")
    assert not quiet._holds("0", {"/"})


@pytest.mark.parametrize(
    ("parents", "roots", "starting"),
    [
        pytest.param([("9", "7")], {}, "7", id="the child is not in the container yet"),
        pytest.param([("9", "7")], {"9": (2, 2)}, None, id="the child is in the container"),
        pytest.param([("9", "1")], {"9": (2, 2)}, "7", id="a process of another container"),
        pytest.param([("7", "1")], {"7": (2, 2)}, None, id="the holder itself is in the container"),
    ],
)
def test_a_container_is_starting_until_a_process_has_its_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parents: list[tuple[str, str]], roots: dict[str, tuple[int, int]], starting: str | None
) -> None:
    (tmp_path / "lock").touch()
    monkeypatch.setattr(quiet, "processes", lambda: iter(["7", "9"]))
    monkeypatch.setattr(quiet, "_is_nspawn", lambda pid: pid == "7")
    monkeypatch.setattr(quiet, "_holds", lambda pid, ids: pid == "7" and ids == quiet._lock_ids([str(tmp_path / "lock")]))
    monkeypatch.setattr(quiet, "_with_parents", lambda pids: parents)
    monkeypatch.setattr(quiet, "_root", lambda pid: roots.get(pid, (1, 1)))
    assert quiet._starting([str(tmp_path / "lock"), str(tmp_path / "none")]) == starting


def test_the_root_directory_of_a_process_is_the_last_one_in_the_mount_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quiet._root("self") == quiet.place_of("/")
    table = [
        Mount("1", Place("8:1", "/"), "/", "ext4", "rw"),
        Mount("2", Place("8:1", "/srv/aa"), "/", "ext4", "rw"),
        Mount("3", Place("0:5", "/"), "/proc", "proc", "rw"),
    ]
    monkeypatch.setattr(quiet, "mounts", lambda pid: iter(table))
    assert quiet._root("7") == Place("8:1", "/srv/aa")
    monkeypatch.setattr(quiet, "mounts", lambda pid: iter(table[2:]))
    assert quiet._root("7") not in (None, Place("8:1", "/"))

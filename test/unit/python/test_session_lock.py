# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._session import lock


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "images/.nspawn-runner/aa"
    state.mkdir(parents=True)
    return state


def _held_elsewhere(state: Path, text: str = "") -> int:
    """The lock in the hands of another process."""
    (state / "lock").write_text(text)
    descriptor = os.open(state / "lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_the_lock_names_its_holder(state: Path) -> None:
    with lock.image_lock(str(state), "creation"):
        assert (state / "lock").read_text() == f"{os.getpid()}, creation\n"


def test_the_lock_can_be_taken_again_by_its_holder(state: Path) -> None:
    with lock.image_lock(str(state), "maintenance"):
        with lock.image_lock(str(state), "creation"):
            pass
        with open(state / "lock") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_lock_is_free_after_an_error(state: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.image_lock(str(state), "creation"):
        raise ZeroDivisionError
    os.close(_held_elsewhere(state))
    assert lock._held == set()


@pytest.mark.parametrize(("text", "holder"), [("7, maintenance\n", "7, maintenance"), ("", "unknown"), ("7\xff", "7")])
def test_a_locked_image_is_busy(monkeypatch: pytest.MonkeyPatch, state: Path, text: str, holder: str) -> None:
    ended: list[tuple[str, bool]] = []
    monkeypatch.setattr(lock.client, "end", lambda tree, only_idle: ended.append((tree, only_idle)))
    descriptor = _held_elsewhere(state, text)
    with pytest.raises(Busy) as error, lock.image_lock(str(state), "creation"):
        pass
    os.close(descriptor)
    assert "aa" in error.value.found
    assert holder in error.value.found
    # A session that waits for another run gives its image up.
    assert ended == [(str(state.parents[1] / "aa"), True)]


def test_a_session_that_only_waits_gives_the_image_up(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    descriptor = _held_elsewhere(state)
    monkeypatch.setattr(lock.client, "end", lambda tree, only_idle: os.close(descriptor))
    with lock.image_lock(str(state), "rollback"):
        assert (state / "lock").read_text() == f"{os.getpid()}, rollback\n"


def test_a_fork_does_not_hold_the_lock_of_its_parent(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(lock.client, "end", lambda tree, only_idle: None)
    with lock.image_lock(str(state), "creation"):
        replace_os(monkeypatch, lock, getpid=lambda: 1)
        with pytest.raises(Busy), lock.image_lock(str(state), "creation"):
            pass
        monkeypatch.undo()


@pytest.mark.parametrize("again", [False, True])
def test_a_lock_that_was_removed_while_a_run_waited_is_not_taken(monkeypatch: pytest.MonkeyPatch, state: Path, again: bool) -> None:
    descriptor = _held_elsewhere(state)

    def remove(tree: str, only_idle: bool) -> None:
        (state / "lock").unlink()
        if again:
            (state / "lock").touch()
        os.close(descriptor)

    monkeypatch.setattr(lock.client, "end", remove)
    with pytest.raises(Busy, match="image aa has just been removed"), lock.image_lock(str(state), "maintenance"):
        pass
    assert lock._held == set()


def test_a_private_directory_that_was_removed_has_no_lock(state: Path) -> None:
    state.rmdir()
    with pytest.raises(Busy, match="image aa has just been removed"), lock.image_lock(str(state), "maintenance"):
        pass


@pytest.mark.parametrize("kind", ["a directory", "a link", "a FIFO"])
def test_a_lock_that_is_no_file_is_refused(state: Path, kind: str) -> None:
    path = state / "lock"
    if kind == "a directory":
        path.mkdir()
    elif kind == "a link":
        path.symlink_to("elsewhere")
    else:
        os.mkfifo(path)
    with pytest.raises(RunnerError) as error, lock.image_lock(str(state), "creation"):
        pass
    assert str(path) in error.value.found
    assert not (state / "elsewhere").exists()


@pytest.mark.parametrize("image", [True, False])
def test_a_tree_that_another_command_uses_is_busy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, image: bool) -> None:
    monkeypatch.setattr(lock.client, "RUN_DIRECTORY", str(tmp_path / "run"))
    tree, state = tmp_path / "tree", str(tmp_path) if image else None
    tree.mkdir()
    with lock.tree_lock(str(tree), state), pytest.raises(Busy) as error, lock.tree_lock(str(tree), state):
        pass
    assert str(tree) in error.value.found
    with lock.tree_lock(str(tree), state):
        # Each user can lock the directory of a tree that he can read.
        descriptor = os.open(tree, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.tree_lock(str(tree), state):
        pass
    os.close(descriptor)
    status = tree.stat()
    name = f"tree-{status.st_dev}:{status.st_ino}"
    assert not os.path.exists(tmp_path / "run" / name)
    assert image or (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_lock_whose_file_was_removed_is_taken_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "tree-1:2"

    def locked(descriptor: int) -> bool:
        # The holder before.
        if not removed:
            removed.append(path.stat().st_ino)
            path.unlink()
        return True

    removed: list[int] = []
    monkeypatch.setattr(lock, "_locked", locked)
    descriptor = lock._tree_descriptor(str(path), os.O_RDONLY | os.O_CREAT)
    assert descriptor is not None
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)

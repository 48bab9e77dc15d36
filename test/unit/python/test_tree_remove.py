# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Which programs remove a tree, and in which order; they need root, and are replaced.

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree import remove


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run, filled by the function below."""
    monkeypatch.setattr(remove, "guarded", lambda argv: argv)
    monkeypatch.setattr(remove, "refuse_mounts", lambda path: None)
    monkeypatch.setattr(remove.time, "sleep", lambda seconds: None)
    return []


def _answer(monkeypatch: pytest.MonkeyPatch, programs: list[list[str]], statuses: list[int], btrfs: int | None = None) -> None:
    """`statuses`: of rm, one after the other. `btrfs`: of the program btrfs, on its file system."""

    def run(argv: list[str], *arguments: Any, **options: Any) -> tuple[int, list[str]]:
        programs.append(argv)
        if argv[0] == "rm":
            return statuses.pop(0), ["rm: cannot remove 'x'"]
        return btrfs or 0, []

    monkeypatch.setattr(remove, "run", run)
    monkeypatch.setattr(remove, "has_subvolumes", lambda path: btrfs is not None)


def test_a_tree_is_removed_by_rm_within_its_file_system(monkeypatch: pytest.MonkeyPatch, programs: list[list[str]]) -> None:
    _answer(monkeypatch, programs, [0])
    remove.remove_tree("/state/trash-1")
    assert [argv[0] for argv in programs] == ["rm"]
    assert "--one-file-system" in programs[0]
    assert programs[0][-2:] == ["--", "/state/trash-1"]


def test_a_file_that_cannot_be_changed_is_made_changeable(monkeypatch: pytest.MonkeyPatch, programs: list[list[str]]) -> None:
    _answer(monkeypatch, programs, [1, 0])
    remove.remove_tree("/state/trash-1")
    assert [argv[0] for argv in programs] == ["rm", "find", "rm"]
    assert "chattr" in programs[1]


def test_a_process_that_still_writes_there_gets_a_moment(monkeypatch: pytest.MonkeyPatch, programs: list[list[str]]) -> None:
    _answer(monkeypatch, programs, [1, 1, 0])
    remove.remove_tree("/state/trash-1")
    assert [argv[0] for argv in programs] == ["rm", "find", "rm", "rm"]


def test_a_tree_that_stays_is_an_error_with_the_output(monkeypatch: pytest.MonkeyPatch, programs: list[list[str]]) -> None:
    _answer(monkeypatch, programs, [1, 1, 1])
    with pytest.raises(RunnerError) as error:
        remove.remove_tree("/state/trash-1")
    assert "/state/trash-1" in error.value.found
    assert "rm: cannot remove 'x'" in str(error.value)


@pytest.mark.parametrize(("wait", "awaited"), [(True, [["257"]]), (False, [])])
def test_subvolumes_are_deleted_and_their_space_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, programs: list[list[str]], tmp_path: Any, wait: bool, awaited: list[list[str]]
) -> None:
    waits: list[list[str]] = []
    _answer(monkeypatch, programs, [0], btrfs=0)
    monkeypatch.setattr(remove.files, "identity", lambda path: [256, 257])
    monkeypatch.setattr(remove, "wait_until_gone", lambda path, ids: waits.append(ids))
    remove.remove_tree(str(tmp_path), wait)
    assert programs[0][:3] == ["btrfs", "subvolume", "delete"]
    assert ("--commit-after" in programs[0]) is wait
    assert waits == awaited


def test_subvolumes_in_a_directory_are_waited_for_too(monkeypatch: pytest.MonkeyPatch, programs: list[list[str]], tmp_path: Any) -> None:
    waits: list[list[str]] = []

    def run(argv: list[str], *, log: Any = remove.ignore, **options: Any) -> tuple[int, list[str]]:
        programs.append(argv)
        if "rootid" in argv:
            for line in ("259", "ERROR: no subvolume", "258"):
                log(line)
        return int(argv[0] == "btrfs"), []

    monkeypatch.setattr(remove, "run", run)
    monkeypatch.setattr(remove, "has_subvolumes", lambda path: True)
    monkeypatch.setattr(remove, "wait_until_gone", lambda path, ids: waits.append(ids))
    remove.remove_tree(str(tmp_path))
    assert waits == [["259", "258"]]
    assert [argv[0] for argv in programs] == ["btrfs", "find", "find", "find", "rm"]


def test_a_tree_with_mounts_is_not_touched(monkeypatch: pytest.MonkeyPatch, programs: list[list[str]]) -> None:
    def refuse(path: str) -> None:
        raise RunnerError(f"{path} has mounts beneath it")

    _answer(monkeypatch, programs, [0])
    monkeypatch.setattr(remove, "refuse_mounts", refuse)
    with pytest.raises(RunnerError):
        remove.remove_tree("/state/trash-1")
    assert programs == []

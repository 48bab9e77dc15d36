# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import stage
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place

MIB = 1 << 20


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    os.mkdir(place.path)
    return place


@pytest.mark.parametrize(
    ("size", "needed"),
    [
        pytest.param(0, 16 * MIB, id="an empty tree needs room for the log and the record"),
        pytest.param(100 * MIB, 118 * MIB, id="two percent more than the tree"),
        pytest.param(49, 16 * MIB + 49, id="less than one byte of fifty"),
    ],
)
def test_needed(size: int, needed: int) -> None:
    assert stage.needed(size) == needed


@pytest.mark.parametrize(
    ("line", "full"),
    [
        ("cp: error writing 'staged/x': No space left on device", True),
        ("cp: cannot create directory 'staged/x': Disk quota exceeded", True),
        ("cp: error writing 'No space left on device/x': Input/output error", False),
        ("", False),
    ],
)
def test_a_copy_ends_when_the_disk_is_full(line: str, full: bool) -> None:
    if full:
        with pytest.raises(stage._Full):
            stage._stop_when_full(line)
    else:
        stage._stop_when_full(line)


def test_the_moment_is_the_file_systems_and_leaves_no_file(place: Place) -> None:
    first = stage.moment(place.state)
    second = stage.moment(place.state)
    assert second.change_time >= first.change_time
    assert abs(first.offset - (stage.clock_offset())) < 1
    assert os.listdir(place.state) == []


def test_files_that_share_their_blocks_leave_no_file(place: Place) -> None:
    assert stage.shares_extents(place.state) in (True, False)
    assert os.listdir(place.state) == []


@pytest.mark.parametrize(
    ("status", "output", "size"),
    [
        pytest.param(0, ["4096\t/srv/aa"], 4096, id="one line"),
        pytest.param(0, ["du: warning", "8192\t/srv/a\tb"], 8192, id="the last line, and a tab in the path"),
    ],
)
def test_used(monkeypatch: pytest.MonkeyPatch, status: int, output: list[str], size: int) -> None:
    monkeypatch.setattr(stage, "run", lambda *arguments, **options: (status, output))
    assert stage.used("/srv/aa", "--block-size=1") == size


@pytest.mark.parametrize(("status", "output"), [(1, ["du: cannot read directory '/srv/aa/x': Input/output error"]), (0, [])])
def test_a_tree_whose_size_is_unknown_is_an_error(monkeypatch: pytest.MonkeyPatch, status: int, output: list[str]) -> None:
    monkeypatch.setattr(stage, "run", lambda *arguments, **options: (status, output))
    with pytest.raises(RunnerError) as error:
        stage.used("/srv/aa", "--inodes")
    assert "/srv/aa" in error.value.found
    assert all(line in str(error.value) for line in output)


def _mount_points(monkeypatch: pytest.MonkeyPatch, tree: str = "/", state: str = "/") -> None:
    monkeypatch.setattr(stage.mounts, "mount_point", lambda path: state if ".nspawn-runner" in path else tree)


def test_a_plain_tree_can_be_staged(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _mount_points(monkeypatch)
    stage._check(place)


@pytest.mark.parametrize("kind", ["missing", "a link", "a file"])
def test_a_tree_that_is_no_directory_is_refused(monkeypatch: pytest.MonkeyPatch, place: Place, kind: str) -> None:
    _mount_points(monkeypatch)
    os.rmdir(place.path)
    if kind == "a link":
        os.symlink("/tmp", place.path)
    elif kind == "a file":
        Path(place.path).touch()
    with pytest.raises(RunnerError) as error:
        stage._check(place)
    assert place.path in error.value.found


def test_a_mount_point_is_refused(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _mount_points(monkeypatch, tree=os.path.realpath(place.path))
    with pytest.raises(RunnerError, match="mount point"):
        stage._check(place)


def test_a_state_directory_of_another_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _mount_points(monkeypatch, state="/other")
    with pytest.raises(RunnerError, match="another file system") as error:
        stage._check(place)
    assert place.state in error.value.found


def test_a_staged_tree_of_another_run_is_refused(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _mount_points(monkeypatch)
    os.mkdir(place.staged)
    with pytest.raises(RunnerError) as error:
        stage._check(place)
    assert place.staged in error.value.found


def _file_system(monkeypatch: pytest.MonkeyPatch, **numbers: int) -> None:
    space = {"f_blocks": 100, "f_bfree": 60, "f_bavail": 60, "f_frsize": MIB, "f_files": 1000, "f_ffree": 600, "f_favail": 600, **numbers}
    replace_os(monkeypatch, stage, statvfs=lambda path: SimpleNamespace(**space))


@pytest.mark.parametrize(
    ("numbers", "measured"),
    [
        pytest.param({}, False, id="all that is used fits a second time"),
        pytest.param({"f_bavail": 56}, True, id="the tree alone may fit"),
        pytest.param({"f_favail": 399}, True, id="inodes are few"),
        pytest.param({"f_files": 0, "f_favail": 0}, False, id="a file system that counts no inodes"),
    ],
)
def test_a_tree_is_measured_only_when_that_matters(monkeypatch: pytest.MonkeyPatch, place: Place, numbers: dict[str, int], measured: bool) -> None:
    units: list[str] = []

    def used(tree: str, unit: str) -> int:
        units.append(unit)
        return 10

    _file_system(monkeypatch, **numbers)
    monkeypatch.setattr(stage, "used", used)
    stage._check_space(place.path, place.state)
    assert units == (["--block-size=1", "--inodes"] if measured else [])


@pytest.mark.parametrize(
    ("numbers", "size", "inodes", "words"),
    [
        pytest.param({"f_bavail": 30}, 20 * MIB, 10, ["36 MiB", "30 MiB"], id="bytes"),
        pytest.param({"f_favail": 300}, MIB, 350, ["350 inodes", "300"], id="inodes"),
    ],
)
def test_a_tree_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, place: Place, numbers: dict[str, int], size: int, inodes: int, words: list[str]
) -> None:
    _file_system(monkeypatch, **numbers)
    monkeypatch.setattr(stage, "used", lambda tree, unit: inodes if unit == "--inodes" else size)
    with pytest.raises(RunnerError) as error:
        stage._check_space(place.path, place.state)
    assert place.path in error.value.found
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("inode", "subvolumes", "nested", "expected"),
    [
        pytest.param(256, True, [], True, id="a subvolume"),
        pytest.param(256, True, ["ID 258 gen 8 path aa/var"], False, id="a subvolume with others in it"),
        pytest.param(257, True, [], False, id="a directory"),
        pytest.param(256, False, [], False, id="the same inode on another file system"),
    ],
)
def test_a_snapshot_is_made_of_a_lone_subvolume(
    monkeypatch: pytest.MonkeyPatch, place: Place, inode: int, subvolumes: bool, nested: list[str], expected: bool
) -> None:
    replace_os(monkeypatch, stage, lstat=lambda path: SimpleNamespace(st_ino=inode))
    monkeypatch.setattr(stage, "has_subvolumes", lambda path: subvolumes)
    monkeypatch.setattr(stage, "run", lambda *arguments, **options: (0, nested))
    assert stage._is_lone_subvolume(place.path, place.state) is expected


def _copy(monkeypatch: pytest.MonkeyPatch, status: int, shares: bool, output: list[str]) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(argv: list[str], *arguments: Any, **options: Any) -> tuple[int, list[str]]:
        commands.append(argv)
        return status, output

    monkeypatch.setattr(stage, "_is_lone_subvolume", lambda tree, state: False)
    monkeypatch.setattr(stage, "shares_extents", lambda state: shares)
    monkeypatch.setattr(stage, "_check_space", lambda tree, state: None)
    monkeypatch.setattr(stage, "make_directory", lambda path: None)
    monkeypatch.setattr(stage, "guarded", lambda argv: argv)
    monkeypatch.setattr(stage, "run", run)
    return commands


@pytest.mark.parametrize(("shares", "way", "option"), [(True, "reflink", "auto"), (False, "copy", "never")])
def test_a_tree_is_copied_by_relative_paths(monkeypatch: pytest.MonkeyPatch, place: Place, shares: bool, way: str, option: str) -> None:
    commands = _copy(monkeypatch, 0, shares, [])
    assert stage._copy(place.path, place.staged) == way
    assert commands[0][-5:] == [place.path, place.state, option, "../../aa", "staged"]


def test_a_copy_that_fails_is_an_error_with_the_output(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    _copy(monkeypatch, 1, True, ["cp: cannot open 'x'"])
    with pytest.raises(RunnerError) as error:
        stage._copy(place.path, place.staged)
    assert place.path in error.value.found
    assert "cp: cannot open 'x'" in str(error.value)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError


def test_a_rename_never_replaces_another_directory(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(RunnerError) as error:
        files.rename(str(tmp_path / "a"), str(tmp_path / "b"), files.NOREPLACE)
    assert str(tmp_path / "a") in error.value.found
    assert str(tmp_path / "b") in error.value.found
    files.rename(str(tmp_path / "a"), str(tmp_path / "c"), files.NOREPLACE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]


def test_an_exchange_swaps_two_directories(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of-{name}").touch()
    files.rename(str(tmp_path / "a"), str(tmp_path / "b"), files.EXCHANGE)
    assert (tmp_path / "a/of-b").exists()
    assert (tmp_path / "b/of-a").exists()


def test_a_dangling_link_exists(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert files.exists(str(tmp_path / "link"))
    assert not files.exists(str(tmp_path / "nowhere"))


def test_a_directory_keeps_its_identity_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    identity = files.identity(str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()
    assert identity is not None
    assert files.identity(str(tmp_path / "b")) == identity
    assert files.identity(str(tmp_path / "a")) != identity
    assert json.loads(json.dumps(identity)) == identity


@pytest.mark.parametrize("kind", ["missing", "file", "link"])
def test_a_path_without_a_directory_has_no_identity(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(".")
    assert files.identity(str(tmp_path / kind)) is None


def test_subvolumes_have_the_same_inode_and_are_told_apart_by_their_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inode = tmp_path.stat().st_ino
    monkeypatch.setattr(files, "_SUBVOLUME_INODE", inode)
    monkeypatch.setattr(files, "_subvolume", lambda descriptor: 261)
    assert files.identity(str(tmp_path)) == [inode, 261]


def test_clear_flags_leaves_a_directory_without_flags_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o751)
    files.clear_flags(str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o751


def test_json_is_private_and_ends_with_a_line_feed(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    files.write_json(str(path), {"image": "ü", "generations": []})
    assert path.read_text().endswith("}\n")
    assert json.loads(path.read_text()) == {"image": "ü", "generations": []}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_json_replaces_the_file_and_not_its_content(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old and much longer than the new content")
    with path.open() as reader:
        files.write_json(str(path), {})
        assert reader.read() == "old and much longer than the new content"
    assert json.loads(path.read_text()) == {}


def test_json_that_cannot_be_serialized_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        files.write_json(str(path), {"a": object()})
    assert path.read_text() == "old"


def test_json_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "state.json.part").symlink_to(tmp_path / "target")
    with pytest.raises(RunnerError) as error:
        files.write_json(str(tmp_path / "state.json"), {})
    assert str(tmp_path / "state.json") in error.value.found
    assert not (tmp_path / "target").exists()


def test_json_in_a_missing_directory_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RunnerError) as error:
        files.write_json(str(tmp_path / "none/state.json"), {})
    assert str(tmp_path / "none/state.json") in error.value.found


def test_remove_file_removes_a_file_that_need_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "publishing.json").touch()
    files.remove_file(str(tmp_path / "publishing.json"))
    files.remove_file(str(tmp_path / "publishing.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_synced_only_when_it_is_one(tmp_path: Path) -> None:
    files.sync_directory(str(tmp_path))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        files.sync_directory(str(tmp_path / "link"))


def test_a_file_system_that_cannot_be_synced_is_an_error_with_the_output(tmp_path: Path) -> None:
    path = os.path.join(tmp_path, "missing")
    with pytest.raises(RunnerError) as error:
        files.sync_file_system(path)
    assert path in error.value.found
    assert "No such file" in str(error.value)


def test_a_rename_of_a_read_only_subvolume_names_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    replace_os(monkeypatch, files, access=lambda path, mode: False)
    problem = RunnerError("a cannot be renamed: Read-only file system", "remount the file system read-write")
    named = files._read_only(problem, str(tmp_path / "b"), str(tmp_path / "a"))
    assert named.remedy == f"run btrfs property set {tmp_path}/a ro false"
    assert files._read_only(problem, str(tmp_path / "b")) is problem


def _full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", fsync)


def test_a_write_on_a_full_disk_leaves_the_old_file_and_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    _full_disk(monkeypatch)
    with pytest.raises(RunnerError, match="No space left on device") as error:
        files.write_text(str(path), "new")
    assert files.is_full(error.value.__cause__)
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {"state.json": "old"}


@pytest.mark.parametrize(
    ("problem", "full"),
    [(OSError(errno.ENOSPC, ""), True), (OSError(errno.EDQUOT, ""), True), (OSError(errno.EIO, ""), False), (ValueError(), False), (None, False)],
)
def test_errors_of_a_full_disk(problem: BaseException | None, full: bool) -> None:
    assert files.is_full(problem) is full


@pytest.mark.parametrize(
    ("space", "clause"),
    [
        pytest.param({"/a": (63, 10, 10)}, "the file system of /a is full", id="no blocks"),
        pytest.param({"/b": (64, 10, 3)}, "the file system of /b has no free inodes", id="no inodes"),
        pytest.param({"/a": (64, 10, 4), "/b": (64, 0, 0)}, "", id="room, and a file system that counts no inodes"),
        pytest.param({"/a": (0, 10, 0), "/b": (0, 10, 10)}, "the file system of /a is full", id="the first one"),
    ],
)
def test_full_file_systems(monkeypatch: pytest.MonkeyPatch, space: dict[str, tuple[int, int, int]], clause: str) -> None:
    def statvfs(path: str) -> SimpleNamespace:
        if path == "/none":
            raise FileNotFoundError
        available, inodes, free = space.get(path, (1000, 1000, 1000))
        return SimpleNamespace(f_bavail=available, f_files=inodes, f_favail=free)

    replace_os(monkeypatch, files, statvfs=statvfs)
    assert files.full(("/none", "/a", "/b")) == clause

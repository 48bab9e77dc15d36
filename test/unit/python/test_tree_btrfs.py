# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._tree import btrfs


@pytest.mark.parametrize(
    ("status", "output", "expected"),
    [
        pytest.param(0, ["btrfs"], True, id="btrfs"),
        pytest.param(0, ["ext2/ext3"], False, id="another file system"),
        pytest.param(1, ["stat: cannot read file system information for 'btrfs'"], False, id="a missing directory"),
        pytest.param(1, ["btrfs"], False, id="a failure whose last line is that word"),
        pytest.param(0, [], False, id="no output"),
    ],
)
def test_is_btrfs(monkeypatch: pytest.MonkeyPatch, status: int, output: list[str], expected: bool) -> None:
    monkeypatch.setattr(btrfs, "run", lambda *arguments, **options: (status, output))
    assert btrfs.is_btrfs("/srv") is expected


@pytest.mark.parametrize(
    ("program", "file_system", "expected"),
    [("/sbin/btrfs", "btrfs", True), (None, "btrfs", False), ("/sbin/btrfs", "xfs", False)],
)
def test_subvolumes_need_the_file_system_and_its_program(monkeypatch: pytest.MonkeyPatch, program: str | None, file_system: str, expected: bool) -> None:
    monkeypatch.setattr(btrfs, "run", lambda *arguments, **options: (0, [file_system]))
    monkeypatch.setattr(btrfs.shutil, "which", lambda name, path: program)
    assert btrfs.has_subvolumes("/srv") is expected


def test_own_subvolumes_are_waited_for_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    programs: list[list[str]] = []
    monkeypatch.setattr(btrfs, "run", programs.append)
    btrfs.wait_until_gone("/srv/state", ["257", "258"])
    assert programs[0][:2] == ["timeout", "60"]
    assert programs[0][2:] == ["btrfs", "subvolume", "sync", "/srv/state", "257", "258"]

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host import writable
from ansible_collections.nspawn.runner.plugins.module_utils._host.writable import writable_by_others

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other users")


@pytest.fixture
def playbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SUDO_UID", raising=False)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/aa.yml").touch(0o644)
    return tmp_path / "etc/aa.yml"


def test_files_of_root_in_directories_of_root(playbook: Path) -> None:
    assert writable_by_others([str(playbook), str(playbook.parent), "/nonexistent"]) == []


@pytest.mark.parametrize(("mode", "everyone"), [(0o664, False), (0o666, True)])
def test_a_file_that_others_can_write(playbook: Path, mode: int, everyone: bool) -> None:
    playbook.chmod(mode)
    assert writable_by_others([str(playbook)]) == [(f"users other than root can write to {playbook}", f"run chmod go-w {playbook}", everyone)]


def test_a_file_of_another_user(playbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(playbook, 1000, 0)
    assert writable_by_others([str(playbook)]) == [(f"{playbook} is owned by user 1000, not by root", f"run chown root {playbook}", False)]
    # That user has become root.
    monkeypatch.setenv("SUDO_UID", "1000")
    assert writable_by_others([str(playbook)]) == []


def test_a_directory_above_in_which_others_can_replace_the_file(playbook: Path) -> None:
    playbook.parent.chmod(0o777)
    assert [found.everyone for found in writable_by_others([str(playbook)])] == [True]
    # There they cannot.
    playbook.parent.chmod(0o1777)
    assert writable_by_others([str(playbook)]) == []
    # But they can make other files that count.
    assert [found.everyone for found in writable_by_others([str(playbook.parent)])] == [True]


def test_the_target_of_a_link_counts(playbook: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(playbook)
    playbook.chmod(0o666)
    assert [found.remedy for found in writable_by_others([str(tmp_path / "link")])] == [f"run chmod go-w {playbook}"]


def test_a_link_that_others_can_replace(playbook: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/etc").symlink_to(playbook.parent)
    named = str(tmp_path / "home/etc/aa.yml")
    assert writable_by_others([named]) == []
    os.chown(tmp_path / "home/etc", 1000, 0, follow_symlinks=False)
    assert [found.remedy for found in writable_by_others([named])] == [f"run chown root {tmp_path}/home/etc"]
    os.chown(tmp_path / "home/etc", 0, 0, follow_symlinks=False)
    (tmp_path / "home").chmod(0o777)
    assert [found.remedy for found in writable_by_others([named])] == [f"run chmod go-w {tmp_path}/home"]


def test_links_that_lead_nowhere(playbook: Path, tmp_path: Path) -> None:
    for name, target in (("dangling", "none"), ("loop", "loop")):
        (tmp_path / name).symlink_to(target)
    assert writable_by_others([str(tmp_path / name) for name in ("dangling", "loop", "loop/below")]) == []


def test_each_path_is_looked_at_once(playbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [playbook.parent / f"{number}.yml" for number in range(1000)]
    for path in paths:
        path.touch(0o644)
    seen: list[str] = []
    lstat = os.lstat
    replace_os(monkeypatch, writable, lstat=lambda path: seen.append(path) or lstat(path), stat=None)
    assert writable.writable_by_others(map(str, paths)) == []
    assert len(seen) < 1000 + 20

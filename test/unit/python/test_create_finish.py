# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._create import finish
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError


def test_files_of_the_host_are_taken_out_of_a_new_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(finish, "remove_devices", lambda tree, log: None)
    replace_os(monkeypatch, finish, chown=lambda *arguments, **options: None)
    removed = ["etc/hostname", "etc/resolv.conf", "var/cache/apt/pkgcache.bin", "var/cache/apt/archives/a.deb", "var/lib/apt/lists/a", "usr/sbin/policy-rc.d"]
    kept = ["etc/hosts", "var/cache/apt/archives/lock.txt", "usr/sbin/x"]
    for name in [*removed, *kept, "etc/machine-id"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("host")
    tmp_path.chmod(0o700)
    finish.finish_tree(str(tmp_path), ("usr/sbin/policy-rc.d",), print)
    assert [name for name in removed if (tmp_path / name).exists()] == []
    assert [name for name in kept if not (tmp_path / name).exists()] == []
    assert (tmp_path / "etc/machine-id").read_text() == ""
    assert tmp_path.stat().st_mode & 0o7777 == 0o755


CACHES = ["var/cache/dnf/fedora-1/packages/a.rpm", "var/cache/libdnf5/a/b.solv", "var/cache/yum/a", "var/cache/zypp/solv/@System/cookie"]
LOGS = ["var/log/dnf.log", "var/log/dnf.rpm.log", "var/log/dnf5.log.1", "var/log/hawkey.log", "var/log/zypper.log", "var/log/zypp/history"]


def test_caches_and_logs_of_other_package_managers_are_taken_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(finish, "remove_devices", lambda tree, log: None)
    replace_os(monkeypatch, finish, chown=lambda *arguments, **options: None)
    tree, host = tmp_path / "tree", tmp_path / "host"
    removed = [*CACHES, *LOGS, "var/cache/pacman/pkg/a.zst", "var/cache/apk/x.apk", "var/log/pacman.log", "etc/pacman.d/gnupg/S.gpg-agent"]
    kept = ["var/log/tests/a", "var/cache/other/a", "etc/pacman.d/gnupg/pubring.gpg", "var/lib/pacman/local/a/desc", "etc/apk/keys/a.rsa.pub"]
    for name in [*removed, *kept]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x")
    (host / "kept").mkdir(parents=True)
    (host / "kept/file").touch()
    (tree / "var/cache/dnf/link").symlink_to(host)
    # A cache that is a link is not emptied.
    (tree / "var/cache/yum").rename(tree / "var/cache/yum.old")
    (tree / "var/cache/yum").symlink_to(host / "kept")
    finish.finish_tree(str(tree), (), print)
    assert [name for name in removed if (tree / name).exists()] == []
    assert [name for name in kept if not (tree / name).exists()] == []
    assert [*(tree / "var/cache/dnf").iterdir(), *(tree / "var/cache/pacman/pkg").iterdir()] == []
    assert (host / "kept/file").exists()


def test_a_command_that_replaced_its_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").symlink_to("/tmp")
    with pytest.raises(RunnerError):
        finish.finish_tree(str(tmp_path / "tree"), (), print)


def test_emptied_lists_of_apt_do_not_look_fresh_and_no_link_is_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(finish, "remove_devices", lambda tree, log: None)
    replace_os(monkeypatch, finish, chown=lambda *arguments, **options: None)
    lists, stamp = tmp_path / "tree/var/lib/apt/lists", tmp_path / "tree/var/lib/apt/periodic/update-success-stamp"
    for directory in (lists, stamp.parent, tmp_path / "outside/lists", tmp_path / "linked/var/lib"):
        directory.mkdir(parents=True)
    (lists / "some_Packages").touch()
    stamp.touch()
    (tmp_path / "linked/var/lib/apt").symlink_to(tmp_path / "outside")
    finish.finish_tree(str(tmp_path / "tree"), (), print)
    finish.finish_tree(str(tmp_path / "linked"), (), print)
    assert lists.stat().st_mtime == 0
    assert not stamp.exists()
    assert (tmp_path / "outside/lists").stat().st_mtime > 0

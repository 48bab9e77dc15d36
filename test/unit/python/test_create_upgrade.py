# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._create import upgrade
from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import Mirror, Repository
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, Any]]]:
    """Command lines of containers and the other arguments of run()."""
    calls: list[tuple[list[str], dict[str, Any]]] = []
    monkeypatch.setattr(upgrade, "run", lambda argv, **options: calls.append((argv, options)) or (100, ["E: x"]))
    monkeypatch.setattr(upgrade, "check_user_namespace", lambda arguments, tree: None)
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return calls


def _upgrade(tree: Path, *urls: str, proxy: str = "") -> tuple[int, list[str]]:
    repositories = [Repository("a", Mirror(url), "trixie", ("main",)) for url in urls]
    return upgrade.upgrade(str(tree), "aa", str(tree), repositories, ["git", "vim"], proxy, print)


def test_all_packages_are_upgraded_in_a_container_without_daemons(calls: list[tuple[list[str], dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert _upgrade(tmp_path, "http://mirror.example.org/debian") == (100, ["E: x"])
    argv, _options = calls[0]
    assert "--private-users=pick" in argv
    assert "--hostname=aa" in argv
    assert argv[-2:] == ["git", "vim"]
    assert (tmp_path / "usr/sbin/policy-rc.d").read_text().endswith("exit 101\n")
    assert (tmp_path / "usr/sbin/policy-rc.d").stat().st_mode & 0o777 == 0o755


def test_the_container_has_the_options_of_its_image_but_a_network(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[list[str], dict[str, Any]]], tmp_path: Path
) -> None:
    options = ["--private-users=no", "--private-network"], {"SYSTEMD_SECCOMP": "0"}
    monkeypatch.setattr(upgrade, "read_container_file", lambda state: options)
    _upgrade(tmp_path, "http://mirror.example.org/debian")
    assert "--private-users=no" in calls[0][0]
    assert "--private-network" not in calls[0][0]
    assert calls[0][1]["environment"]["SYSTEMD_SECCOMP"] == "0"


def test_the_login_of_a_proxy_is_in_no_argument(monkeypatch: pytest.MonkeyPatch, calls: list[tuple[list[str], dict[str, Any]]], tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.example.org")
    monkeypatch.setenv("HOME", "/home/me")
    _upgrade(tmp_path, "http://mirror.example.org/debian")
    argv, options = calls[0]
    assert "--setenv=http_proxy" in argv
    assert "secret" not in " ".join(argv)
    assert options["inherited"] == ["http_proxy"]


def test_the_proxy_of_the_image_comes_before_the_one_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[list[str], dict[str, Any]]], tmp_path: Path
) -> None:
    monkeypatch.setenv("http_proxy", "http://other.example.org")
    _upgrade(tmp_path, "http://mirror.example.org/debian", proxy="http://me:secret@proxy.example.org")
    argv, options = calls[0]
    assert "--setenv=https_proxy" in argv
    assert "secret" not in " ".join(argv)
    assert (options["inherited"], options["environment"]["http_proxy"]) == ([], "http://me:secret@proxy.example.org")


def test_repositories_of_the_host_are_seen_in_the_container(calls: list[tuple[list[str], dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "mirror:1").mkdir()
    (tmp_path / "tree").mkdir()
    _upgrade(tmp_path / "tree", f"file:{tmp_path}/mirror:1", f"copy://{tmp_path}/mirror%3A1/", "http://mirror.example.org/debian")
    source = f"{tmp_path}/mirror\\:1"
    assert [argument for argument in calls[0][0] if argument.startswith("--bind")] == [f"--bind-ro={source}"]
    assert (tmp_path / f"tree{tmp_path}/mirror:1").is_dir()


def test_a_tree_that_is_a_trap_gets_no_container(calls: list[tuple[list[str], dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("/etc")
    with pytest.raises(RunnerError):
        _upgrade(tmp_path, "http://mirror.example.org/debian")
    assert calls == []

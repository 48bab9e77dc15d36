# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._create import finish
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError


def _container(monkeypatch: pytest.MonkeyPatch, status: int, *output: str) -> tuple[list[list[str]], list[dict[str, str]]]:
    """Answers for the container that is started on the tree; returns its command lines and environments."""
    commands: list[list[str]] = []
    environments: list[dict[str, str]] = []

    def run(argv: list[str], *, environment: dict[str, str], inherited: tuple[str, ...]) -> tuple[int, list[str]]:
        # Nothing of the caller's.
        assert inherited == ()
        commands.append(argv)
        environments.append(environment)
        return status, list(output)

    monkeypatch.setattr(finish, "run", run)
    monkeypatch.setattr(finish, "check_user_namespace", lambda arguments, tree: None)
    return commands, environments


def test_a_tree_is_usable_when_a_shell_runs_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    commands, _environments = _container(monkeypatch, 0)
    finish.check_usable(str(tmp_path), "a_b", str(tmp_path))
    assert "--hostname=a-b" in commands[0]
    assert str(tmp_path) in commands[0]
    assert not [argument for argument in commands[0] if "{" in argument]


def test_a_new_tree_is_tried_with_the_options_of_its_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    commands, environments = _container(monkeypatch, 0)
    options = ["--bind=/srv:/srv:idmap", "--private-network"], {"SYSTEMD_SECCOMP": "0", "NSPAWN_RUNNER_ENVIRONMENT": "PASSWORD=secret"}
    monkeypatch.setattr(finish, "read_container_file", lambda state: options if state == "/state" else ([], {}))
    finish.check_usable(str(tmp_path), "aa", "/state")
    assert {"--bind=/srv:/srv:idmap", "--private-network"} <= {*commands[0]}
    assert environments[0]["SYSTEMD_SECCOMP"] == "0"
    assert "secret" not in " ".join(commands[0])


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("/bin/sh: Exec format error", "architecture"),
        ("execv(/bin/sh, /bin/sh) failed: No such file or directory", "/bin/sh"),
        ("Failed to allocate namespaces", "exit status 1"),
    ],
)
def test_a_tree_without_a_working_shell_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str, word: str) -> None:
    (tmp_path / "usr").mkdir()
    _container(monkeypatch, 1, "first", output)
    with pytest.raises(RunnerError) as error:
        finish.check_usable(str(tmp_path), "aa", str(tmp_path))
    assert word in str(error.value).split("\n")[0]
    assert str(error.value).endswith(f"first\n{output}")


def test_a_shell_that_does_not_end_is_killed_after_a_minute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    # The exit status that timeout(1) has then.
    commands, _environments = _container(monkeypatch, 137, "/bin/sh: Exec format error")
    with pytest.raises(RunnerError) as error:
        finish.check_usable(str(tmp_path), "aa", str(tmp_path))
    assert any('timeout --signal=KILL 60 systemd-nspawn --directory="$0" "$@"; exit $?' in argument for argument in commands[0])
    assert error.value.found == "the new tree is not usable: a shell in it does not end within 60 s"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        pytest.param([], "empty", id="an empty tree"),
        pytest.param(["rootfs", "manifest.json"], "manifest.json, rootfs", id="an archive of something else"),
        pytest.param([f"{n:02}" for n in range(12)], "00, 01, 02, 03, 04, 05, 06, 07, 08, 09", id="ten names at most"),
        pytest.param(["\x1b[31mred"], r"\x1b[31mred", id="control characters"),
        pytest.param(["x" * 60], "x" * 40, id="a long name"),
    ],
)
def test_a_tree_without_usr_is_refused_with_its_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: list[str], shown: str) -> None:
    commands, _environments = _container(monkeypatch, 0)
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(RunnerError) as error:
        finish.check_usable(str(tmp_path), "aa", str(tmp_path))
    assert ("/usr" in str(error.value)) == bool(names)
    assert str(error.value).endswith(shown)
    assert commands == []


def test_a_tree_that_is_a_trap_gets_no_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands, _environments = _container(monkeypatch, 0)
    (tmp_path / "usr").mkdir()
    (tmp_path / "dev").symlink_to("/dev")
    with pytest.raises(RunnerError):
        finish.check_usable(str(tmp_path), "aa", str(tmp_path))
    assert commands == []


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

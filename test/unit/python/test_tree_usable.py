# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree import usable


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

    monkeypatch.setattr(usable, "run", run)
    monkeypatch.setattr(usable, "check_user_namespace", lambda arguments, tree: None)
    return commands, environments


def test_a_tree_is_usable_when_a_shell_runs_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    commands, _environments = _container(monkeypatch, 0)
    usable.check_usable(str(tmp_path), "a_b", str(tmp_path))
    assert "--hostname=a-b" in commands[0]
    assert str(tmp_path) in commands[0]
    assert not [argument for argument in commands[0] if "{" in argument]


def test_a_new_tree_is_tried_with_the_options_of_its_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    commands, environments = _container(monkeypatch, 0)
    options = ["--bind=/srv:/srv:idmap", "--private-network"], {"SYSTEMD_SECCOMP": "0", "NSPAWN_RUNNER_ENVIRONMENT": "PASSWORD=secret"}
    monkeypatch.setattr(usable, "read_container_file", lambda state: options if state == "/state" else ([], {}))
    usable.check_usable(str(tmp_path), "aa", "/state")
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
        usable.check_usable(str(tmp_path), "aa", str(tmp_path))
    assert word in str(error.value).split("\n")[0]
    assert str(error.value).endswith(f"first\n{output}")


def test_a_shell_that_does_not_end_is_killed_after_a_minute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    # The exit status that timeout(1) has then.
    commands, _environments = _container(monkeypatch, 137, "/bin/sh: Exec format error")
    with pytest.raises(RunnerError) as error:
        usable.check_usable(str(tmp_path), "aa", str(tmp_path))
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
        usable.check_usable(str(tmp_path), "aa", str(tmp_path))
    assert ("/usr" in str(error.value)) == bool(names)
    assert str(error.value).endswith(shown)
    assert commands == []


def test_a_tree_that_is_a_trap_gets_no_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands, _environments = _container(monkeypatch, 0)
    (tmp_path / "usr").mkdir()
    (tmp_path / "dev").symlink_to("/dev")
    with pytest.raises(RunnerError):
        usable.check_usable(str(tmp_path), "aa", str(tmp_path))
    assert commands == []


def _fill(tree: Path, files: dict[str, str]) -> str:
    """Files with a content, or links for "-> TARGET"; programs have the run bit."""
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)
            path.chmod(0o755 if text == "program" else 0o644)
    return str(tree)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param({}, [], id="an empty tree"),
        pytest.param({"var/lib/dpkg/status": "Package: a"}, ["package database", "package database of dpkg"], id="dpkg"),
        pytest.param({"var/lib/dpkg/status": ""}, [], id="an emptied database"),
        pytest.param({"var/lib/rpm/rpmdb.sqlite": "x"}, ["package database", "package database of rpm"], id="rpm"),
        pytest.param({"usr/lib/sysimage/rpm/Packages.db": "x"}, ["package database", "package database of rpm"], id="rpm of openSUSE"),
        pytest.param({"var/lib/pacman/local/ALPM_DB_VERSION": "9"}, ["package database", "package database of pacman"], id="pacman"),
        pytest.param({"lib/apk/db/installed": "x"}, ["package database", "package database of apk"], id="apk"),
        pytest.param({"usr/lib/systemd/systemd": "program", "usr/sbin/init": "-> ../lib/systemd/systemd"}, ["init"], id="systemd"),
        pytest.param({"lib/systemd/systemd": "program"}, ["init"], id="systemd, with a directory /lib"),
        pytest.param({"usr/sbin/init": "-> /lib/systemd/systemd"}, [], id="a link to a systemd that is gone"),
        pytest.param({"usr/lib/systemd/systemd": "no program"}, [], id="a systemd that cannot run"),
        pytest.param({"sbin/init": "program"}, ["init"], id="sysvinit"),
        pytest.param({"sbin/init": "-> /bin/busybox"}, ["init"], id="busybox"),
        pytest.param({"usr/bin/init": "-> openrc-init"}, ["init"], id="OpenRC"),
        pytest.param({"sbin": "-> usr/sbin", "usr/sbin/init": "program"}, ["init"], id="a merged /usr"),
        pytest.param({"sbin": "-> /usr/sbin", "var/lib": "-> /var/lib"}, [], id="links out of the tree"),
    ],
)
def test_the_essentials_of_a_tree(tmp_path: Path, files: dict[str, str], found: list[str]) -> None:
    assert sorted(usable.essentials(_fill(tmp_path, files))) == sorted(found)


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        pytest.param({"var/lib/dpkg/status": "x", "sbin/init": "program"}, {}, "init and its package database", id="both"),
        pytest.param({"var/lib/dpkg/status": "x"}, {"var/lib/rpm/Packages": "x"}, "package database of dpkg", id="one of two databases"),
        pytest.param({"var/lib/rpm/Packages": "x"}, {"usr/lib/sysimage/rpm/rpmdb.sqlite": "x"}, None, id="a database that moved"),
        pytest.param({"sbin/init": "program"}, {"usr/lib/systemd/systemd": "program"}, None, id="another init"),
        pytest.param({}, {"sbin/init": "program"}, None, id="more than before"),
    ],
)
def test_a_tree_that_lost_an_essential_is_refused(tmp_path: Path, before: dict[str, str], after: dict[str, str], lost: str | None) -> None:
    essentials = usable.essentials(_fill(tmp_path / "before", before))
    tree = _fill(tmp_path / "after", after)
    if lost is None:
        usable.refuse_losses(essentials, tree)
        return
    with pytest.raises(RunnerError) as error:
        usable.refuse_losses(essentials, tree)
    assert error.value.found == f"the new tree is not usable: it has lost its {lost}"

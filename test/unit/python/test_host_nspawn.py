# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host import nspawn
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError

DEFAULTS = {
    "nspawn_runner_user_namespace": True,
    "nspawn_runner_binds": [],
    "nspawn_runner_environment": {},
    "nspawn_runner_network": "host",
    "nspawn_runner_seccomp": True,
    "nspawn_runner_capabilities": [],
}


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        pytest.param({}, [], id="no variable"),
        pytest.param(DEFAULTS, [], id="defaults need no argument"),
        pytest.param({"nspawn_runner_binds": ["/srv"]}, ["--bind=/srv:/srv:idmap"], id="a bind"),
        pytest.param({"nspawn_runner_binds": ["/a:/b"]}, ["--bind=/a:/b:idmap"], id="a bind on another path"),
        pytest.param({"nspawn_runner_binds": ["/a:/b:ro"]}, ["--bind-ro=/a:/b:idmap"], id="a read-only bind"),
        pytest.param({"nspawn_runner_binds": ["/dev/kvm", "/dev/a:/b:ro"]}, ["--bind-ro=/dev/a:/b", "--bind=/dev/kvm"], id="devices"),
        pytest.param({"nspawn_runner_user_namespace": False}, ["--private-users=no"], id="no user namespace"),
        pytest.param(
            {"nspawn_runner_user_namespace": False, "nspawn_runner_binds": ["/a", "/b:/c", "/d:/e:ro"]},
            ["--private-users=no", "--bind-ro=/d:/e", "--bind=/a", "--bind=/b:/c"],
            id="binds without a user namespace",
        ),
        pytest.param({"nspawn_runner_environment": {"A": "1\u20282"}}, ["--setenv=A=1\u20282"], id="a character that Python takes for a line break"),
        pytest.param(
            {"nspawn_runner_binds": ["/rw", "/ro:/x:ro"]},
            ["--bind-ro=/ro:/x:idmap", "--bind=/rw:/rw:idmap"],
            id="a read-only bind is never bound a second time to be written",
        ),
        pytest.param({"nspawn_runner_binds": ["/a", "/a"]}, ["--bind=/a:/a:idmap"], id="a bind that is given twice"),
        pytest.param(
            {"nspawn_runner_binds": ["/a\\:b:/c", "/d\\:e"]},
            ["--bind=/d\\:e:/d\\:e:idmap", "--bind=/a\\:b:/c:idmap"],
            id="systemd-nspawn's own escape of a colon stays",
        ),
        pytest.param({"nspawn_runner_environment": {"A": "1", "B": "x y"}}, ["--setenv=A=1", "--setenv=B=x y"], id="environment"),
        pytest.param({"nspawn_runner_environment": {"N": 5}}, ["--setenv=N=5"], id="a number in the environment"),
        pytest.param(
            {"nspawn_runner_proxy": "http://p:1", "nspawn_runner_environment": {"A": "b", "no_proxy": "x"}},
            [
                *("--setenv=http_proxy=http://p:1", "--setenv=https_proxy=http://p:1", "--setenv=no_proxy=x"),
                *("--setenv=HTTP_PROXY=http://p:1", "--setenv=HTTPS_PROXY=http://p:1", "--setenv=NO_PROXY=localhost,127.0.0.1,::1", "--setenv=A=b"),
            ],
            id="a proxy, of which the environment overrides a part",
        ),
        pytest.param({"nspawn_runner_network": "none"}, ["--private-network"], id="no network"),
        pytest.param({"nspawn_runner_seccomp": False}, ["SYSTEMD_SECCOMP=0"], id="no filter of system calls: a variable of systemd-nspawn itself"),
        pytest.param({"nspawn_runner_capabilities": ["CAP_SYS_PTRACE"]}, ["--capability=CAP_SYS_PTRACE"], id="a capability"),
        pytest.param({"nspawn_runner_packages": ["git"], "other": 1}, [], id="variables of something else"),
        pytest.param(dict.fromkeys(DEFAULTS), [], id="variables without a value"),
    ],
)
def test_container_lines(variables: dict[str, Any], lines: list[str]) -> None:
    assert nspawn.container_lines(variables) == lines


@pytest.mark.parametrize(
    ("image", "name"),
    [
        pytest.param("trixie", "trixie", id="plain"),
        pytest.param("debian-12.5", "debian-12.5", id="dots and dashes"),
        pytest.param("a_b", "a-b", id="a host name has no underscore"),
        pytest.param("a..b", "a.b", id="no empty part between dots"),
        pytest.param("-.a.-", "a", id="no dot or dash at the ends"),
        pytest.param("_a", "a", id="an underscore at the start"),
        pytest.param("{machine}", "machine", id="braces of a template"),
        pytest.param("ü", "image", id="nothing left"),
        pytest.param("", "image", id="empty"),
        pytest.param("x" * 70, "x" * 64, id="too long"),
        pytest.param("x" * 63 + ".y", "x" * 63, id="a dot at the cut"),
        pytest.param("a\nb", "a-b", id="a line feed"),
    ],
)
def test_host_name(image: str, name: str) -> None:
    assert nspawn.host_name(image) == name


def test_flags_name_the_image_and_no_machine_twice() -> None:
    first, second = nspawn.flags("a_b"), nspawn.flags("a_b")
    assert "--hostname=a-b" in first
    assert not [flag for flag in first if "{" in flag]
    machines = [flag for flag in (*first, *second) if flag.startswith("--machine=")]
    assert len({*machines}) == 2
    # A host name for the kernel: 64 characters at most.
    assert max(map(len, machines)) <= len("--machine=") + 64


def _own(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    """Shows each open file as a file of this user."""
    fstat = os.fstat

    def owned(descriptor: int) -> os.stat_result:
        status = list(fstat(descriptor))
        status[stat.ST_UID] = uid
        return os.stat_result(status)

    replace_os(monkeypatch, nspawn, fstat=owned)


def test_without_a_container_file_there_are_no_options(tmp_path: Path) -> None:
    assert nspawn.read_container_file(str(tmp_path)) == ([], {})


def test_options_that_were_written_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _own(monkeypatch, 0)
    variables = {**DEFAULTS, "nspawn_runner_binds": ["/srv"], "nspawn_runner_environment": {"A": "b=c", "LD_PRELOAD": "\u2028"}, "nspawn_runner_seccomp": False}
    nspawn.write_container_file(str(tmp_path), variables)
    assert nspawn.read_container_file(str(tmp_path)) == (
        ["--bind=/srv:/srv:idmap"],
        {"SYSTEMD_SECCOMP": "0", "NSPAWN_RUNNER_ENVIRONMENT": "A=b=c\nLD_PRELOAD=\u2028"},
    )
    assert [path.name for path in tmp_path.iterdir()] == ["container"]
    assert stat.S_IMODE((tmp_path / "container").stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "container").write_text("--bind=/old\n")
    with pytest.raises(TypeError):
        nspawn.write_container_file(str(tmp_path), {"nspawn_runner_binds": 5})
    assert [path.name for path in tmp_path.iterdir()] == ["container"]
    assert (tmp_path / "container").read_text() == "--bind=/old\n"


def test_only_arguments_and_variables_of_systemd_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _own(monkeypatch, 0)
    (tmp_path / "container").write_text("# comment\n\n--bind=/a\nSYSTEMD_SECCOMP=0\nPATH=/evil\nSYSTEMD_x=1\nword\n")
    (tmp_path / "container").chmod(0o600)
    assert nspawn.read_container_file(str(tmp_path)) == (["--bind=/a"], {"SYSTEMD_SECCOMP": "0"})


@pytest.mark.parametrize(
    ("mode", "uid"),
    [
        pytest.param(0o620, 0, id="the group can write"),
        pytest.param(0o602, 0, id="every user can write"),
        pytest.param(0o600, 1000, id="another owner"),
    ],
)
def test_a_container_file_that_others_than_root_can_write_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, uid: int) -> None:
    path = tmp_path / "container"
    path.write_text("--bind=/\n")
    path.chmod(mode)
    _own(monkeypatch, uid)
    with pytest.raises(RunnerError) as error:
        nspawn.read_container_file(str(tmp_path))
    assert str(path) in error.value.found
    assert "remove" in str(error.value)


def test_a_fifo_in_place_of_the_container_file_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "container", 0o600)
    _own(monkeypatch, 0)
    with pytest.raises(RunnerError, match="is not a file that only root can write"):
        nspawn.read_container_file(str(tmp_path))


def test_a_link_in_place_of_the_container_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "container").symlink_to("/dev/null")
    with pytest.raises(RunnerError) as error:
        nspawn.read_container_file(str(tmp_path))
    assert str(tmp_path / "container") in error.value.found

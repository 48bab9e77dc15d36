# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="a connection is a plugin of Ansible's")

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.nspawn.runner.plugins.connection import nspawn
from ansible_collections.nspawn.runner.plugins.module_utils._session.client import Claim


@pytest.mark.parametrize(
    ("command", "python"),
    [
        pytest.param("/bin/sh -c /usr/bin/python3", "/usr/bin/python3", id="a module by pipelining"),
        pytest.param("/bin/sh -c '/usr/bin/python3 && sleep 0'", "/usr/bin/python3", id="before ansible-core 2.21"),
        pytest.param("/bin/sh -c '/opt/venv-1/bin/python3.12 && sleep 0'", "/opt/venv-1/bin/python3.12", id="another Python"),
        pytest.param("/bin/sh -c 'LANG=C /usr/bin/python3 && sleep 0'", None, id="an environment"),
        pytest.param("/bin/sh -c 'python3 && sleep 0'", None, id="a name on PATH"),
        pytest.param("/bin/sh -c '/usr/bin/python3 x.py && sleep 0'", None, id="an argument"),
        pytest.param("/bin/sh -c '/usr/bin/python3 && sleep 0'; id", None, id="another command"),
        pytest.param("/bin/sh -c 'sudo -u x /usr/bin/python3 && sleep 0'", None, id="another user"),
        pytest.param("/bin/sh -c '/usr/bin/python3 x.py'", None, id="an argument, without sleep"),
        pytest.param("/bin/sh -c '/usr/bin/python3", None, id="one quote"),
        pytest.param("/bin/sh -c python3", None, id="a name on PATH, without sleep"),
        pytest.param("id", None, id="a plain command"),
    ],
)
def test_a_module_is_told_from_other_commands(command: str, python: str | None) -> None:
    match = nspawn._MODULE.fullmatch(command)
    assert (match["python"] if match else None) == python


@pytest.mark.parametrize(("status", "stderr", "ending"), [(1, b"cat: no\n", ": cat: no"), (7, b"", ": exit status 7"), (1, b"\xff", ": \ufffd")])
def test_a_failed_copy_is_an_error_with_its_words(status: int, stderr: bytes, ending: str) -> None:
    with pytest.raises(AnsibleError) as error:
        nspawn._check(status, stderr, "a cannot be copied to b")
    assert str(error.value).endswith(f"a cannot be copied to b{ending}")


def test_a_copy_that_worked_is_no_error() -> None:
    nspawn._check(0, b"a warning", "a cannot be copied to b")


@pytest.fixture
def claim() -> Iterator[Claim]:
    """A claim on a tree without a session."""
    descriptor = os.pidfd_open(os.getpid())
    yield Claim(descriptor, None, "no Python")
    os.close(descriptor)


def _run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claim: Claim, wrapper: str, command: str = "exit 3", patience: float = 0) -> tuple[int, bytes, bytes]:
    """Runs a command by a script in place of the wrapper, whose first argument is the tree."""
    script = tmp_path / "wrapper"
    script.write_text(f"#!/bin/sh\n{wrapper}\n")
    script.chmod(0o755)
    monkeypatch.setattr(nspawn, "WRAPPER", str(script))
    monkeypatch.setattr(nspawn, "_PAUSE", 0)
    connection: Any = object.__new__(nspawn.Connection)
    connection._tree = str(tmp_path)
    connection.get_option = lambda name: patience
    return connection._run_alone(claim, {"command": ["/bin/sh", "-c", command]}, io.BytesIO(b"input"), None, False)


START = 'shift; exec "$@"'


@pytest.mark.parametrize(
    ("command", "result"),
    [
        pytest.param("cat; echo err >&2; exit 3", (3, b"input", b"err\n"), id="output, and an exit status"),
        pytest.param("exit 75", (75, b"", b""), id="the exit status of a busy tree is the command's own"),
        pytest.param("exit 125", (125, b"", b""), id="the exit status of a failed wrapper is the command's own"),
        pytest.param(
            "echo 'Directory tree x is currently busy.' >&2; exit 1", (1, b"", b"Directory tree x is currently busy.\n"), id="words of systemd-nspawn"
        ),
        pytest.param("echo started", (0, b"started\n", b""), id="the word that tells of the start"),
    ],
)
def test_a_command_in_a_container_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claim: Claim, command: str, result: tuple[int, bytes, bytes]
) -> None:
    assert _run(monkeypatch, tmp_path, claim, START, command) == result


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        pytest.param("echo 'in use: wait' >&2; exit 75", "in use: wait", id="a busy tree"),
        pytest.param("echo 'Directory tree x is currently busy.' >&2; exit 1", "Directory tree x is currently busy.", id="a busy tree, by systemd-nspawn"),
        pytest.param("echo 'no root' >&2; exit 125", "no root", id="a wrapper that failed"),
    ],
)
def test_a_container_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claim: Claim, wrapper: str, message: str) -> None:
    with pytest.raises(AnsibleConnectionFailure) as error:
        _run(monkeypatch, tmp_path, claim, wrapper)
    assert str(error.value) == message


def test_another_failure_before_the_start_is_the_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claim: Claim) -> None:
    assert _run(monkeypatch, tmp_path, claim, "echo 'no namespaces' >&2; exit 1") == (1, b"", b"no namespaces\n")


def test_a_busy_tree_is_waited_for_and_gets_the_whole_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claim: Claim) -> None:
    wrapper = f"[ -e {tmp_path}/second ] || {{ touch {tmp_path}/second; exit 75; }}; {START}"
    assert _run(monkeypatch, tmp_path, claim, wrapper, "cat", patience=60) == (0, b"input", b"")


def test_a_container_that_hangs_at_its_start_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claim: Claim) -> None:
    monkeypatch.setattr(nspawn.exchange, "TIMEOUT", 0.2)
    with pytest.raises(AnsibleConnectionFailure) as error:
        _run(monkeypatch, tmp_path, claim, "exec sleep 600")
    assert str(error.value) == f"no container was ready on {tmp_path} after 0.2 s"


@pytest.mark.parametrize(
    ("command", "in_data", "whole"),
    [
        pytest.param("/bin/sh -c /usr/bin/python3", b"code", True, id="a module by pipelining"),
        pytest.param("/bin/sh -c '/usr/bin/python3 /root/.ansible/tmp/ansible-tmp-1.2-3/AnsiballZ_ping.py && sleep 0'", None, True, id="a copied module"),
        pytest.param("/bin/sh -c 'make check'", None, False, id="a plain command"),
    ],
)
def test_the_output_of_a_module_has_to_be_whole(monkeypatch: pytest.MonkeyPatch, command: str, in_data: bytes | None, whole: bool) -> None:
    asked: list[bool] = []
    connection: Any = object.__new__(nspawn.Connection)
    connection.get_option = lambda name: "/bin/sh"
    connection._show = lambda text: None
    connection._run = lambda request, source, whole: asked.append(whole) or (0, b"", b"")
    monkeypatch.setattr(nspawn.ConnectionBase, "exec_command", lambda *arguments, **options: None)
    connection.exec_command(command, in_data)
    assert asked == [whole]


def test_async_needs_a_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claim: Claim) -> None:
    with pytest.raises(AnsibleError) as error:
        _run(monkeypatch, tmp_path, claim, START, "ANSIBLE_ASYNC_DIR=/root/.ansible_async true")
    assert str(tmp_path) in str(error.value)
    assert "no Python" in str(error.value)


@pytest.mark.parametrize(
    ("stderr", "missing"),
    [
        pytest.param(b"/bin/sh: 1: sudo: not found\n", True, id="dash"),
        pytest.param(b"/bin/bash: line 1: sudo: command not found\n", True, id="bash"),
        pytest.param(b"/bin/sh: 1: apt: not found\n", False, id="another program"),
        pytest.param(b"pseudo: not found\n", False, id="a program with a longer name"),
    ],
)
def test_an_image_without_the_program_of_become(stderr: bytes, missing: bool) -> None:
    connection: Any = object.__new__(nspawn.Connection)
    connection._tree, connection.become = "/srv/aa", SimpleNamespace(name="ansible.builtin.sudo")
    if not missing:
        connection._check_become(stderr)
        return
    with pytest.raises(AnsibleError, match=r"^/srv/aa has no program sudo, .*: set become_method: su"):
        connection._check_become(stderr)

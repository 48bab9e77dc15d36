# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._session import container


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        pytest.param([], {}, True, id="a plain image"),
        pytest.param(["--bind-ro=/srv", "--setenv=A=1"], {}, True, id="read-only binds"),
        pytest.param(["--bind=/srv"], {}, False, id="a bind that a publish does not write to the disk"),
        pytest.param([], {"SYSTEMD_SECCOMP": "0"}, False, id="an image without filters"),
    ],
)
def test_system_calls_are_filtered_where_that_is_safe(arguments: list[str], environment: dict[str, str], expected: bool) -> None:
    assert container._may_filter(arguments, environment) is expected


@pytest.mark.parametrize(
    ("arguments", "devices"),
    [
        pytest.param(["--bind=/dev/null"], ["/dev/null"], id="a device"),
        pytest.param(["--bind=/dev/null:/dev/x"], ["/dev/null"], id="a device under another name"),
        pytest.param(["--bind=/dev/none"], [], id="a device that does not exist"),
        pytest.param(["--bind=/dev/bus"], ["/dev/null"], id="a directory with a device"),
        pytest.param(["--bind=/srv"], [], id="no device"),
        pytest.param(["--bind-ro=/dev/null"], ["/dev/null"], id="a device that is only read"),
        pytest.param(["--setenv=A=--bind=/dev/null"], [], id="another option"),
    ],
)
def test_devices_that_are_bound(monkeypatch: pytest.MonkeyPatch, arguments: list[str], devices: list[str]) -> None:
    replace_os(monkeypatch, container, walk=lambda path: [("/dev", ["bus"], ["null", "none"])] if path == "/dev/bus" else [])
    assert list(container.devices(arguments)) == devices


def test_a_container_gets_no_variable_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANSIBLE_CONFIG", "PYTHONPATH", "LISTEN_FDS", "NOTIFY_SOCKET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PATH", "/opt/bin")
    environment = container.host_environment({"SYSTEMD_SECCOMP": "0"})
    assert environment["PATH"].startswith("/opt/bin:/usr/local/sbin")
    assert environment["SYSTEMD_SECCOMP"] == "0"
    assert {name for name in environment if not name.startswith("SYSTEMD_")} == {"PATH", "LC_ALL"}


def _running(output: int) -> container.Container:
    process = SimpleNamespace(stderr=SimpleNamespace(fileno=lambda: output))
    return container.Container(cast("subprocess.Popen[bytes]", process), "/agent")


def test_lines_of_a_container_come_whole() -> None:
    reader, writer = os.pipe()
    running = _running(reader)
    os.write(writer, b"first\n\x1b[31msec")
    assert running.lines() == ["first"]
    os.write(writer, b"ond\n")
    assert running.lines() == [r"\x1b[31msecond"]
    os.write(writer, b"x" * 20_000)
    assert running.lines() == []
    # However long the container makes a line.
    assert len(running._rest) < 20_000
    os.close(writer)
    assert running.lines() is None
    assert list(running.tail) == ["first", r"\x1b[31msecond"]
    os.close(reader)


def _wait(monkeypatch: pytest.MonkeyPatch, output: bytes, ends: bool = True) -> deque[str]:
    reader, writer = os.pipe()
    os.write(writer, output)
    if ends:
        os.close(writer)
    else:
        monkeypatch.setattr(container, "_START", 0.01)
    try:
        running = _running(reader)
        monkeypatch.setattr(container, "check_user_namespace", lambda arguments, tree: None)
        container.wait_ready(running, "/srv/aa", [])
        return running.tail
    finally:
        os.close(reader)
        if not ends:
            os.close(writer)


def test_a_container_is_ready_when_its_agent_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(_wait(monkeypatch, b"started\nready\n")) == []


@pytest.mark.parametrize(
    ("output", "ends", "problem", "word"),
    [
        pytest.param(b"Directory tree /srv/aa is currently busy.\n", True, Busy, "/srv/aa", id="a job has the tree"),
        pytest.param(b"Failed to allocate namespaces\n", True, RunnerError, "Failed to allocate namespaces", id="no container"),
        pytest.param(b"", True, RunnerError, "/srv/aa", id="a container that prints nothing"),
        pytest.param(b"", False, RunnerError, "/srv/aa", id="a container that hangs"),
        pytest.param(b"started\n", False, RunnerError, "no agent", id="a Python that hangs"),
        pytest.param(b"started\n", True, container.NoAgent, "/usr/bin/python3", id="no Python"),
        pytest.param(b"started\nImportError: zlib\n", True, container.NoAgent, "ImportError: zlib", id="a Python that does not work"),
        pytest.param(b"not ready\n", True, RunnerError, "not ready", id="a line that only contains the word"),
    ],
)
def test_a_container_that_does_not_get_ready(monkeypatch: pytest.MonkeyPatch, output: bytes, ends: bool, problem: type[Exception], word: str) -> None:
    with pytest.raises(problem) as error:
        _wait(monkeypatch, output, ends)
    assert word in str(error.value)
    assert type(error.value) is problem


def test_the_agents_archive_is_a_program_that_cannot_be_changed(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    for name in ("basic.py", "common/text.py", "powershell.psm1"):
        (tmp_path / name).write_text(name)
    with container._archive(str(tmp_path)) as descriptor:
        with zipfile.ZipFile(f"/proc/self/fd/{descriptor}") as archive:
            names = {*archive.namelist()}
            assert b"def main()" in archive.read("__main__.py")
        for change in (lambda: os.write(descriptor, b"x"), lambda: os.ftruncate(descriptor, 0)):
            with pytest.raises(PermissionError):
                change()
    assert names == {"__main__.py", "ansible/__init__.py", "ansible/module_utils/basic.py", "ansible/module_utils/common/text.py"}


def test_a_payload_hands_dns_over(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: dict[str, Any] = {"nspawn-inside.sh": "inside", "resolv.conf": "nameserver 192.0.2.1\n"}
    monkeypatch.setattr(container, "open", lambda path, **options: io.StringIO(texts[os.path.basename(path)]), raising=False)
    payload = container._payload()
    assert payload[:5] == ["/bin/sh", "-c", "inside", "nspawn-runner", "nameserver 192.0.2.1\n"]
    assert "echo started" in payload[-1]


def test_a_host_without_a_resolv_conf_starts_containers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_open(path: str, **options: Any) -> io.StringIO:
        if path == "/etc/resolv.conf":
            raise FileNotFoundError(path)
        return io.StringIO("inside")

    monkeypatch.setattr(container, "open", fake_open, raising=False)
    assert container._payload()[4] == ""

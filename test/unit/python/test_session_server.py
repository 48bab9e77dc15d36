# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import threading
from array import array
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._session import client, server
from ansible_collections.nspawn.runner.plugins.module_utils._session.container import Container

# Device and inode of the tree.
IDENTITY = [8, 256]


@pytest.mark.parametrize(
    ("tree", "image"),
    [
        pytest.param("/srv/images/aa", ("aa", "/srv/images/.nspawn-runner/aa", True), id="a published tree"),
        pytest.param("/srv/images/.nspawn-runner/aa/staged", ("aa", "/srv/images/.nspawn-runner/aa", False), id="a staged tree"),
        pytest.param("/srv/images/.nspawn-runner/aa/failed", ("aa", "/srv/images/.nspawn-runner/aa", False), id="a failed tree"),
        pytest.param("/srv/a_tree", ("a_tree", "/srv/.nspawn-runner/a_tree", True), id="a tree of no image"),
    ],
)
def test_the_image_of_a_tree(tree: str, image: tuple[str, str, bool]) -> None:
    assert server._find_image(tree) == image


@pytest.mark.parametrize("kind", ["missing", "a link", "a file"])
def test_a_tree_without_usr_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "a link":
        (tmp_path / "usr").symlink_to("/usr")
    elif kind == "a file":
        (tmp_path / "usr").touch()
    with pytest.raises(RunnerError) as error:
        server._check_usr(str(tmp_path))
    assert str(tmp_path) in error.value.found


def test_a_tree_under_an_overlay_is_busy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server.in_use, "overlay_mounts", lambda tree: ["0:40 rw"])
    with pytest.raises(Busy) as error, server._published(str(tmp_path / "aa"), "aa"):
        pass
    assert str(tmp_path / "aa") in error.value.found


@pytest.mark.parametrize("images", [True, False])
def test_the_image_is_locked_where_there_are_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: bool) -> None:
    locked: list[tuple[str, ...]] = []
    monkeypatch.setattr(server.in_use, "overlay_mounts", lambda tree: [])
    monkeypatch.setattr(server, "make_state", lambda root, name: f"{root}/state/{name}")
    monkeypatch.setattr(server, "image_lock", lambda *arguments: locked.append(arguments) or nullcontext())
    if images:
        (tmp_path / ".nspawn-runner").mkdir()
    with server._published(str(tmp_path / "aa"), "aa"):
        assert locked == ([(f"{tmp_path}/state/aa", server.PURPOSE)] if images else [])


def test_the_end_of_a_session_removes_what_ended_and_killed_sessions_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server, "RUN_DIRECTORY", str(tmp_path))
    for name in ("ended", "killed", "alive", "starting"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
    (tmp_path / "killed/agent").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as killed:
        killed.bind(str(tmp_path / "killed/control"))
    for name in ("tree-1:2", "tree-3:4"):
        (tmp_path / name).touch()
    held = [os.open(tmp_path / name, os.O_RDWR) for name in ("starting/lock", "tree-3:4")]
    for descriptor in held:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    with server._listener(str(tmp_path / "alive/control")):
        server._clean()
    for descriptor in held:
        os.close(descriptor)
    assert sorted(os.listdir(tmp_path)) == ["alive", "starting", "tree-3:4"]


class FakeContainer:
    """A container that prints the lines that it is given, and then ends."""

    def __init__(self, *lines: str) -> None:
        self.output, self.writer = os.pipe()
        self.tail = [*lines]

    def lines(self) -> list[str] | None:
        return [] if os.read(self.output, 100) else None


@pytest.fixture
def process() -> Iterator[array[int]]:
    """A descriptor of a process that lives."""
    descriptor = os.pidfd_open(os.getpid())
    yield array("i", [descriptor])
    os.close(descriptor)


def _server(*lines: str) -> server._Server:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return server._Server(listener, cast(Container, FakeContainer(*lines)), "key", "/srv/aa", IDENTITY)


def _claim(run: str = "run-1", **more: Any) -> dict[str, Any]:
    return {"run": run, "name": f"process of {run}", "key": "key", "tree": IDENTITY, "idle_time": 10, **more}


def _assert_busy(answer: dict[str, Any]) -> None:
    """The answer names the tree, and the run that has the session."""
    problem = Busy(**answer["busy"])
    assert "/srv/aa" in problem.found
    assert "process of run-1" in problem.found
    assert problem.remedy


@pytest.fixture
def connections() -> Iterator[list[socket.socket]]:
    connections = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _number in range(3)]
    yield connections
    for connection in connections:
        connection.close()


def test_a_run_gets_the_session_for_all_its_workers(process: array[int], connections: list[socket.socket]) -> None:
    session = _server()
    for connection in connections:
        assert session._claim(_claim(), connection, process) == {"granted": True}
    assert session.claims == {*connections}


def test_another_run_is_told_the_name_of_the_first(process: array[int], connections: list[socket.socket]) -> None:
    session = _server()
    session._claim(_claim(), connections[0], process)
    _assert_busy(session._claim(_claim("run-2"), connections[1], process))
    assert session.claims == {connections[0]}
    assert not session.ended


@pytest.mark.parametrize("change", [{"key": "another version of Ansible"}, {"tree": [8, 257]}])
def test_a_claim_of_something_else_ends_the_session(process: array[int], connections: list[socket.socket], change: dict[str, Any]) -> None:
    session = _server()
    session._claim(_claim(), connections[0], process)
    assert session._claim(_claim(**change), connections[1], process) == {"ending": True}
    assert session.ended


@pytest.mark.parametrize("claims_left", [False, True])
def test_the_session_of_a_run_that_ended_goes_to_the_next(process: array[int], connections: list[socket.socket], claims_left: bool) -> None:
    session = _server()
    session._claim(_claim(), connections[0], process)
    if not claims_left:
        session.claims.clear()
    assert session.owner_alive is not None
    session._owner_ended(session.owner_alive)
    answer = session._claim(_claim("run-2"), connections[1], process)
    # A worker of a killed run may still write to the tree.
    assert answer == ({"ending": True} if claims_left else {"granted": True})


@pytest.mark.parametrize(("wanted", "idle_time"), [(0, 0), (10, 10), (10**9, 3600)])
def test_the_idle_time_has_a_limit(process: array[int], connections: list[socket.socket], wanted: int, idle_time: int) -> None:
    session = _server()
    session._claim(_claim(idle_time=wanted), connections[0], process)
    assert session.idle_time == idle_time


def test_a_later_task_cannot_change_the_idle_time(process: array[int], connections: list[socket.socket]) -> None:
    session = _server()
    session._claim(_claim(idle_time=5), connections[0], process)
    session._claim(_claim(idle_time=3000), connections[1], process)
    assert session.idle_time == 5


@pytest.mark.parametrize(
    ("how", "has_owner", "ends"),
    [
        ("idle", True, False),
        ("idle", False, True),
        ("now", True, True),
        ("now", False, True),
    ],
)
def test_an_end(process: array[int], connections: list[socket.socket], how: str, has_owner: bool, ends: bool) -> None:
    session = _server()
    if has_owner:
        session._claim(_claim(), connections[0], process)
    answer = session._end({"end": how})
    assert session.ended == ends
    if ends:
        assert answer == {"ending": True}
    else:
        _assert_busy(answer)


@pytest.mark.parametrize(
    ("lines", "last_line"),
    [
        pytest.param([], "", id="no line"),
        pytest.param(["first", "Killed"], "Killed", id="two lines"),
        pytest.param(["Killed", "unshare: child exited"], "Killed", id="unshare's own line"),
        pytest.param(["unshare: child exited"], "", id="unshare's line alone"),
    ],
)
def test_a_container_that_ends_has_a_last_line(lines: list[str], last_line: str) -> None:
    session = _server(*lines)
    os.close(cast(FakeContainer, session.running).writer)
    session._read_output(session.running.output)
    assert (session.ended, session.last_line) == (True, last_line)


def _serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *lines: str) -> tuple[server._Server, threading.Thread, socket.socket]:
    """A session on a socket of the test, and a connection to it."""
    monkeypatch.setattr(client, "directory", lambda tree: str(tmp_path))
    session = _server(*lines)
    session.control.bind(str(tmp_path / "control"))
    session.control.listen()
    thread = threading.Thread(target=session.serve)
    thread.start()
    connection = client._connected("/srv/aa")
    assert connection is not None
    return session, thread, connection


def test_a_session_serves_its_clients_and_ends_when_it_is_idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    session, thread, connection = _serve(monkeypatch, tmp_path)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as run, connection:
        descriptor = os.pidfd_open(run.pid)
        assert client._asked(connection, _claim(idle_time=0), descriptor) == {"granted": True}
        _assert_busy(client._asked(connection, {"end": "idle"}))
        os.close(descriptor)
    # The run has ended.
    thread.join(60)
    assert not thread.is_alive()
    assert session.last_line is None


def test_the_claims_of_a_session_hear_of_its_containers_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, process: array[int]) -> None:
    session, thread, connection = _serve(monkeypatch, tmp_path, "Out of memory")
    with connection:
        assert client._asked(connection, _claim(), process[0]) == {"granted": True}
        os.close(cast(FakeContainer, session.running).writer)
        thread.join(60)
        assert "Out of memory" in client.what_died(client.Claim(-1, connection, ""), "/srv/aa", True)


def test_a_socket_of_a_killed_session_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    Path(path).touch()
    with server._listener(path) as listener:
        assert listener.getsockname() == path
    assert not os.path.exists(path)

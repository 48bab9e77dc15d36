# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import socket
import stat
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._session import client

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection of a client, and the session's end of it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("path", ["tree", "tree/", "./tree", "link-to-parent/tree", "tree/../tree"])
def test_canonical_path_of_a_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "link-to-parent").symlink_to(tmp_path)
    assert client.canonical(os.path.join(tmp_path, path)) == os.path.realpath(tmp_path / "tree")


@pytest.mark.parametrize(
    ("kind", "word"),
    [("missing", "No such file"), ("a link", "symbolic link"), ("a link with a slash", "symbolic link"), ("a file", "not a directory")],
)
def test_a_path_that_holds_no_tree_has_no_session(tmp_path: Path, kind: str, word: str) -> None:
    path = tmp_path / "tree"
    if kind == "a file":
        path.touch()
    elif kind != "missing":
        path.symlink_to(tmp_path)
    with pytest.raises(RunnerError) as error:
        client.canonical(f"{path}/" if kind.endswith("slash") else str(path))
    assert str(path) in str(error.value)
    assert word in str(error.value)


@pytest.mark.parametrize("path", ["/", "//", "/usr/.."])
def test_the_hosts_root_directory_has_no_session(path: str) -> None:
    with pytest.raises(RunnerError):
        client.canonical(path)


def test_the_sockets_of_a_tree_are_found_by_its_path() -> None:
    directory = client.directory("/srv/aa")
    assert re.fullmatch(r"/run/nspawn-runner/[0-9a-f]{32}", directory)
    assert client.directory("/srv/aa") == directory
    assert client.directory("/srv/bb") != directory
    # Any file name has a directory, and a socket's path has at most 108 bytes.
    assert len(os.path.join(client.directory(os.fsdecode(b"/\xff" + b"x" * 4000)), "control")) < 108


def test_a_question_carries_a_descriptor_and_gets_its_answer(pair: Pair, tmp_path: Path) -> None:
    ours, theirs = pair
    theirs.send(b'{"granted": true}')
    with (tmp_path / "file").open("w") as file:
        assert client._asked(ours, {"run": "1"}, file.fileno()) == {"granted": True}
    descriptors = array("i")
    data, ancillary, _flags, _address = theirs.recvmsg(65536, socket.CMSG_SPACE(descriptors.itemsize))
    descriptors.frombytes(ancillary[0][2])
    assert json.loads(data) == {"run": "1"}
    assert os.readlink(f"/proc/self/fd/{descriptors[0]}") == str(tmp_path / "file")
    os.close(descriptors[0])


@pytest.mark.parametrize("when", ["before the question", "before the answer"])
def test_a_session_that_ends_gives_no_answer(pair: Pair, when: str) -> None:
    ours, theirs = pair
    if when == "before the question":
        theirs.close()
    else:
        theirs.shutdown(socket.SHUT_WR)
    assert client._asked(ours, {"end": "now"}) == {}


@pytest.mark.parametrize(
    ("answer", "granted", "words"),
    [
        pytest.param({"granted": True}, True, [], id="granted"),
        pytest.param({"busy": {"found": "process 7 has the tree", "remedy": "wait"}}, False, ["process 7 has the tree", "wait"], id="another run has the tree"),
        pytest.param({"ending": True}, False, [], id="an ending session is tried again"),
        pytest.param({}, False, [], id="a session that ended is tried again"),
    ],
)
def test_a_claim_of_a_session(monkeypatch: pytest.MonkeyPatch, pair: Pair, answer: dict[str, Any], granted: bool, words: list[str]) -> None:
    monkeypatch.setattr(client, "_connected", lambda tree: pair[0])
    monkeypatch.setattr(client, "_asked", lambda connection, message, *descriptors: answer)
    monkeypatch.setattr(client, "_await_end", lambda connection: None)
    connection, busy = client._claimed("/srv/aa", "/module_utils", {"key": "1"}, 5)
    assert (connection is pair[0]) == granted
    assert bool(busy) == bool(words)
    assert [word for word in words if word not in str(busy)] == []


@pytest.mark.parametrize("busy", [None, Busy("the tree is in use")])
def test_without_a_session_one_is_started(monkeypatch: pytest.MonkeyPatch, busy: Busy | None) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(client, "_connected", lambda tree: None)
    monkeypatch.setattr(client, "_start", lambda *arguments: started.append(arguments) or busy)
    assert client._claimed("/srv/aa", "/module_utils", {"key": "1"}, 5) == (None, busy)
    assert started == [("/srv/aa", "/module_utils", "1")]


@pytest.mark.parametrize(
    ("only_idle", "answer", "waits"),
    [(False, {"ending": True}, True), (True, {"ending": True}, True), (True, {"busy": {"found": "process 7"}}, False), (False, {}, False)],
)
def test_end_waits_for_a_session_that_ends(monkeypatch: pytest.MonkeyPatch, pair: Pair, only_idle: bool, answer: dict[str, Any], waits: bool) -> None:
    waited: list[socket.socket] = []
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(client, "_connected", lambda tree: pair[0])
    monkeypatch.setattr(client, "_asked", lambda connection, message: messages.append(message) or answer)
    monkeypatch.setattr(client, "_await_end", waited.append)
    client.end("/srv/aa", only_idle)
    assert messages == [{"end": "idle" if only_idle else "now"}]
    assert bool(waited) == waits
    assert pair[0].fileno() == -1


def test_end_without_a_session_does_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client, "RUN_DIRECTORY", str(tmp_path))
    client.end("/srv/aa")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(None, ["process that ran this task", "killed"], id="the session lives: the agent was killed"),
        pytest.param(b'{"last_line": "Killed"}', ["container", "ended", "Killed"], id="the container ended"),
        pytest.param(b'{"last_line": ""}', ["container", "ended under this task"], id="the container ended without a word"),
        pytest.param(b"", ["process that keeps the container", "killed"], id="the session was killed"),
        pytest.param(b"not JSON", ["process that keeps the container"], id="an answer that is not JSON"),
    ],
)
def test_a_task_that_was_cut_short_has_a_reason(monkeypatch: pytest.MonkeyPatch, pair: Pair, answer: bytes | None, words: list[str]) -> None:
    monkeypatch.setattr(client, "_GRACE", 0)
    ours, theirs = pair
    if answer:
        theirs.send(answer)
    elif answer == b"":
        theirs.close()
    message = client.what_died(client.Claim(-1, ours, ""), "/srv/aa", True)
    assert [word for word in [*words, "/srv/aa"] if word not in message] == []


def test_a_task_without_a_session_has_a_reason() -> None:
    assert "/srv/aa" in client.what_died(client.Claim(-1, None, "no Python"), "/srv/aa", True)


def test_a_closed_claim_closes_both_descriptors(pair: Pair) -> None:
    descriptor = os.pidfd_open(os.getpid())
    client.Claim(descriptor, pair[0], "").close()
    assert pair[0].fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    client.Claim(os.pidfd_open(os.getpid()), None, "no Python").close()


def test_a_run_is_named_by_its_main_process() -> None:
    descriptor, message = client._main_process()
    os.close(descriptor)
    assert message["name"].startswith(f"process {os.getpid()}, ")
    assert f" {os.getpid()} " in message["run"]


def _owned_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    lstat = os.lstat

    def shown(path: Any) -> os.stat_result:
        status = list(lstat(path))
        status[stat.ST_UID] = 0
        return os.stat_result(status)

    replace_os(monkeypatch, client, lstat=shown)


def test_the_sockets_are_in_a_private_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _owned_by_root(monkeypatch)
    monkeypatch.setattr(client, "RUN_DIRECTORY", str(tmp_path / "run"))
    with client._alone("/srv/aa"):
        assert os.listdir(client.directory("/srv/aa")) == ["lock"]
        assert stat.S_IMODE(os.stat(client.directory("/srv/aa")).st_mode) == 0o700


@pytest.fixture
def run_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    _owned_by_root(monkeypatch)
    monkeypatch.setattr(client, "RUN_DIRECTORY", str(tmp_path / "run"))
    return tmp_path / "run"


def test_the_directory_stays_while_a_session_listens(run_directory: Path) -> None:
    with client._alone("/srv/aa"):
        control = Path(client.directory("/srv/aa"), "control")
        control.touch()
    assert sorted(os.listdir(control.parent)) == ["control", "lock"]
    control.unlink()
    with client._alone("/srv/aa"):
        pass
    assert os.listdir(run_directory) == []


def test_without_a_session_no_directory_stays(run_directory: Path) -> None:
    with pytest.raises(ZeroDivisionError), client._alone("/srv/aa"):
        raise ZeroDivisionError
    assert os.listdir(run_directory) == []


def test_a_lock_that_was_removed_while_a_client_waited_is_not_taken(monkeypatch: pytest.MonkeyPatch, run_directory: Path) -> None:
    operations: list[int] = []

    def flock(file: Any, operation: int) -> None:
        operations.append(operation)
        if len(operations) == 1:
            # As the end of a session that another client waited for.
            client.remove_unused(client.directory("/srv/aa"))

    monkeypatch.setattr(client.fcntl, "flock", flock)
    with client._alone("/srv/aa"):
        assert os.listdir(client.directory("/srv/aa")) == ["lock"]
    assert len(operations) == 2


@pytest.mark.parametrize("kind", ["readable", "a link"])
def test_a_directory_that_others_can_enter_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    _owned_by_root(monkeypatch)
    monkeypatch.setattr(client, "RUN_DIRECTORY", str(tmp_path / "run"))
    if kind == "a link":
        (tmp_path / "run").symlink_to(tmp_path)
    else:
        (tmp_path / "run").mkdir(mode=0o755)
    with pytest.raises(RunnerError) as error, client._alone("/srv/aa"):
        pass
    assert str(tmp_path / "run") in str(error.value)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import array
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._job import agent, relay
from ansible_collections.nspawn.runner.plugins.module_utils._session.exchange import Died, NotBegun


def test_a_request_with_descriptors() -> None:
    ours, theirs = socket.socketpair()
    text = json.dumps({"command": ["a"]}).encode()
    descriptors = array.array("i", [0, 1, 2])
    ours.sendmsg([struct.pack("!I", len(text)) + text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    received = agent.receive(theirs)
    assert received is not None
    assert (received[0], len(received[1])) == ({"command": ["a"]}, 3)
    for descriptor in received[1]:
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\x09{}"])
def test_a_connection_that_closes_early(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(data)
    ours.close()
    assert agent.receive(theirs) is None


def test_the_root_user_needs_no_entry() -> None:
    assert agent._user("root").pw_uid == 0
    assert agent._user("4242")[2:4] == (4242, 4242)
    with pytest.raises(KeyError):
        agent._user("no-such-user")


@contextmanager
def _agent(tmp: str) -> Iterator[str]:
    """An agent outside of a container, as a booted container has it."""
    path = os.path.join(tmp, "agent")
    start = json.dumps({"socket": path})
    with subprocess.Popen([sys.executable, "-I", "-S", agent.__file__, start], stdout=subprocess.DEVNULL) as process:
        while not os.path.lexists(path):
            assert process.poll() is None
        try:
            yield path
        finally:
            process.kill()


def _command(*argv: str, user: str | None = None) -> relay.Command:
    return relay.Command(argv, user or str(os.geteuid()), relay.environment({}), ["/"])


def _memory(text: bytes) -> int:
    descriptor = os.memfd_create("input")
    os.write(descriptor, text)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
@pytest.mark.parametrize(
    ("script", "status"),
    [
        (b"exit 42", 42),
        (b"kill -KILL $$", 128 + signal.SIGKILL),
        (b"kill -TERM $$", 128 + signal.SIGTERM),
        (b"no-such-program", 127),
    ],
)
def test_exit_statuses_are_those_of_the_shell(tmp_path: str, script: bytes, status: int, capfd: pytest.CaptureFixture[str]) -> None:
    with _agent(str(tmp_path)) as path:
        assert relay.run(path, _command("sh"), _memory(script)) == (status, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
def test_a_process_in_the_background_holds_no_command(tmp_path: str, capfd: pytest.CaptureFixture[str]) -> None:
    with _agent(str(tmp_path)) as path:
        assert relay.run(path, _command("sh"), _memory(b"sleep 1000 & echo $!")) == (0, False)
        # Still there, until its container ends.
        os.kill(int(capfd.readouterr().out), signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
@pytest.mark.parametrize(("argv", "status"), [(["/no/such"], 127), (["/etc"], 126)])
def test_programs_that_cannot_run(tmp_path: str, argv: list[str], status: int, capfd: pytest.CaptureFixture[str]) -> None:
    with _agent(str(tmp_path)) as path:
        assert relay.run(path, _command(*argv), _memory(b"")).status == status
    assert capfd.readouterr().err.startswith(f"nspawn-runner: {argv[0]}: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
def test_both_streams_arrive_whole(tmp_path: str, capfd: pytest.CaptureFixture[str]) -> None:
    with _agent(str(tmp_path)) as path:
        relay.run(path, _command("sh"), _memory(b"seq 1 200000; seq 1 9 >&2"))
    output = capfd.readouterr()
    assert (output.out.count("\n"), output.out[-7:], output.err) == (200000, "200000\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
def test_a_user_that_the_image_lacks(tmp_path: str, capfd: pytest.CaptureFixture[str]) -> None:
    with _agent(str(tmp_path)) as path:
        assert relay.run(path, _command("true", user="no-such-user"), _memory(b"")).status == 126
    assert "the image has no user 'no-such-user'" in capfd.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
def test_a_killed_handler_is_told_from_an_end(tmp_path: str) -> None:
    with _agent(str(tmp_path)) as path, pytest.raises(Died):
        relay.run(path, _command("sh"), _memory(b"kill -KILL $PPID; while :; do :; done"))


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
def test_a_request_to_stop_ends_the_command_and_its_background(tmp_path: str, capfd: pytest.CaptureFixture[str]) -> None:
    script = f"sleep 1000 & echo $!; trap 'exit 9' TERM; kill -TERM {os.getpid()}; while :; do :; done"
    with _agent(str(tmp_path)) as path:
        assert relay.run(path, _command("sh"), _memory(script.encode())) == (9, True)
        background = int(capfd.readouterr().out)
        # The killed process is a process until its new parent has noticed.
        with pytest.raises(ProcessLookupError):
            for _attempt in range(1000):
                os.kill(background, 0)
                time.sleep(0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent changes its user")
def test_a_link_in_place_of_the_socket_is_not_followed(tmp_path: str) -> None:
    with _agent(str(tmp_path)) as path:
        os.symlink(path, f"{path}.link")
        with pytest.raises(NotBegun):
            relay.run(f"{path}.link", _command("true"), _memory(b""))

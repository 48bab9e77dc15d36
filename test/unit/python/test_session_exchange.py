# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Real pipes and small programs in place of a container, a thread in place of the agent.

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._session import exchange

LIMIT = 1 << 22


@pytest.fixture
def run() -> Iterator[int]:
    """A descriptor of a process that lives: of this one."""
    descriptor = os.pidfd_open(os.getpid())
    yield descriptor
    os.close(descriptor)


def _exchange(run: int, script: str, given: bytes = b"", sink: exchange.Sink | None = None, limit: int = LIMIT, **options: Any) -> tuple[int, bytes, bytes]:
    with exchange.in_own_container(["/bin/sh", "-c", script]) as running:
        return exchange.exchange(running, run, io.BytesIO(given), sink, limit, **options)


@pytest.mark.parametrize(
    ("script", "given", "result"),
    [
        pytest.param("exit 0", b"", (0, b"", b""), id="no output"),
        pytest.param("echo out; echo err >&2; exit 3", b"", (3, b"out\n", b"err\n"), id="both streams and the exit status"),
        pytest.param("cat", b"a\0b\xff\n", (0, b"a\0b\xff\n", b""), id="any bytes"),
        pytest.param("cat; cat >&2", b"x" * 3_000_000, (0, b"x" * 3_000_000, b""), id="more than a pipe and a block hold"),
        pytest.param("exit 5", b"x" * 3_000_000, (5, b"", b""), id="a command that does not read its input"),
        pytest.param("exec <&-; echo on", b"x" * 3_000_000, (0, b"on\n", b""), id="a command that closes its input"),
        pytest.param("kill -TERM $$", b"", (143, b"", b""), id="a signal"),
        pytest.param("exec >&- 2>&-; exit 4", b"", (4, b"", b""), id="a command that closes its outputs"),
    ],
)
def test_exchange(run: int, script: str, given: bytes, result: tuple[int, bytes, bytes]) -> None:
    assert _exchange(run, script, given) == result


def test_a_sink_takes_the_output_instead(run: int) -> None:
    blocks: list[bytes] = []
    assert _exchange(run, "cat; echo err >&2", b"x" * 200_000, blocks.append, limit=4) == (0, b"", b"err\n")
    assert b"".join(blocks) == b"x" * 200_000


def test_an_output_that_has_to_be_whole_is_refused_beyond_the_limit(run: int) -> None:
    assert _exchange(run, "printf 1234; printf 12345678 >&2", limit=4, whole=True)[:2] == (0, b"1234")
    with pytest.raises(exchange.TooMuch):
        _exchange(run, "printf 12345; sleep 600", limit=4, whole=True)


@pytest.mark.parametrize("redirection", ["", ">&2"])
def test_of_more_output_than_the_limit_the_beginning_and_the_end_are_kept(run: int, redirection: str) -> None:
    status, *outputs = _exchange(run, f"printf first {redirection}; head -c 3000000 /dev/zero {redirection}; printf last {redirection}; exit 3", limit=1000)
    output = outputs[1 if redirection else 0]
    head, words, tail = output.split(b"\n")
    assert (status, len(head), len(tail), head[:5], tail[-4:]) == (3, 500, 500, b"first", b"last")
    assert words == b"[nspawn.runner: 2999009 bytes are left out here, since this output has more than 1000]"


def test_the_host_needs_little_memory_for_any_output() -> None:
    program = f"""
import io, os, resource, sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
import conftest
conftest.pytest_configure()
from ansible_collections.nspawn.runner.plugins.module_utils._session import exchange
with exchange.in_own_container(["/bin/sh", "-c", "head -c 250000000 /dev/zero; head -c 250000000 /dev/zero >&2"]) as running:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = exchange.exchange(running, os.pidfd_open(os.getpid()), io.BytesIO(), None, 8 << 20)
print(results[0], max(map(len, results[1:])) < 9 << 20, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 << 10)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr) == ("0 True True\n", "")


def test_a_container_that_prints_nothing_has_not_begun(run: int) -> None:
    with pytest.raises(exchange.NotBegun):
        _exchange(run, "while echo noise >&2; do sleep 0.05; done", patience=0.3)
    assert _exchange(run, "echo; sleep 0.6; exit 3", patience=0.3)[0] == 3
    assert _exchange(run, "exit 3", patience=600)[0] == 3


def test_a_process_in_the_background_is_not_waited_for(run: int) -> None:
    status, output, _error = _exchange(run, "sleep 600 & echo $!")
    os.kill(int(output), signal.SIGKILL)
    assert status == 0


def test_a_command_ends_with_its_run() -> None:
    with subprocess.Popen(["true"]) as ended:
        descriptor = os.pidfd_open(ended.pid)
    with pytest.raises(exchange.RunEnded), exchange.in_own_container(["sleep", "600"]) as running:
        exchange.exchange(running, descriptor, io.BytesIO(), None, LIMIT)
    os.close(descriptor)


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (1, 1), (255, 255), (256, 0), (-15, 143), (-9, 137)])
def test_status(status: int, expected: int) -> None:
    assert exchange._status(status) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("limit", [2, 7, 10])
def test_kept_bytes_are_the_first_and_the_last_in_blocks_of_any_size(limit: int, size: int) -> None:
    stream = bytes(range(ord("A"), ord("A") + 50))
    for length in range(51):
        result, keep = exchange.kept(limit)
        for start in range(0, length, size):
            keep(stream[start : min(start + size, length)])
        head, _words, tail = result().split(b"\n") if length > limit else (result(), b"", b"")
        assert head == (stream[: limit - limit // 2] if length > limit else stream[:length])
        assert tail == (stream[length - limit // 2 : length] if length > limit else b"")


@pytest.mark.parametrize(("blocks", "refused"), [([b"abc"], False), ([b"ab", b"c"], False), ([b""], False), ([b"abcd"], True), ([b"abc", b"d"], True)])
def test_a_stream_that_has_to_be_whole_has_at_most_the_limit(blocks: list[bytes], refused: bool) -> None:
    result, keep = exchange.kept(3, whole=True)
    with pytest.raises(exchange.TooMuch) if refused else nullcontext():
        for block in blocks:
            keep(block)
    assert refused or result() == b"".join(blocks)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"end": True}, id="an end"),
        pytest.param({"command": ["/bin/sh", "-c", "echo grün"]}, id="text that is not ASCII"),
        pytest.param({"put": "/tmp/\udcff"}, id="a file name that is not UTF-8"),
    ],
)
def test_frame(request_: dict[str, object]) -> None:
    data = exchange.frame(request_)
    assert struct.unpack("!I", data[:4])[0] == len(data) - 4
    assert json.loads(data[4:].decode("ascii")) == request_


# Gets the connection and the three streams of a request.
Agent = Callable[[socket.socket, list[int]], None]


@contextmanager
def _agent(act: Agent) -> Iterator[socket.socket]:
    """A connection to an agent that acts on one request."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            descriptors = array("i")
            _data, ancillary, _flags, _address = theirs.recvmsg(1 << 20, socket.CMSG_SPACE(3 * descriptors.itemsize))
            for _level, _kind, content in ancillary:
                descriptors.frombytes(content)
            act(theirs, list(descriptors))
            for descriptor in descriptors:
                os.close(descriptor)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield ours
    finally:
        ours.close()
        thread.join()


def _answer(status: bytes) -> Agent:
    def act(connection: socket.socket, streams: list[int]) -> None:
        connection.sendall(b"\n")
        os.write(streams[1], os.read(streams[0], 100).upper())
        os.write(streams[2], b"err")
        connection.sendall(status)

    return act


@pytest.mark.parametrize(("answer", "status"), [(b"0", 0), (b"3", 3), (b"-9", 137)])
def test_a_command_in_a_session(run: int, answer: bytes, status: int) -> None:
    with _agent(_answer(answer)) as connection, exchange.in_session(connection, {"command": ["x"]}) as running:
        assert exchange.exchange(running, run, io.BytesIO(b"text"), None, LIMIT) == (status, b"TEXT", b"err")


@pytest.mark.parametrize("answer", [b"", b"text"])
def test_an_agent_that_ends_early_has_died(run: int, answer: bytes) -> None:
    with (
        _agent(_answer(answer)) as connection,
        pytest.raises(exchange.Died),
        exchange.in_session(connection, {"command": ["x"]}) as running,
    ):
        exchange.exchange(running, run, io.BytesIO(b"text"), None, LIMIT)


def test_without_an_agent_the_command_has_not_begun() -> None:
    with pytest.raises(exchange.NotBegun), exchange.in_session(None, {"command": ["x"]}):
        pass


@pytest.mark.parametrize("when", ["before the request", "before the command began"])
def test_an_agent_that_does_not_begin_has_run_no_command(when: str) -> None:
    connection, theirs = socket.socketpair()
    if when == "before the request":
        theirs.close()
    else:
        theirs.shutdown(socket.SHUT_WR)
    with theirs, pytest.raises(exchange.NotBegun), exchange.in_session(connection, {"command": ["x"]}):
        pass
    assert connection.fileno() == -1


def test_the_rest_of_a_pipe_is_read_in_blocks(run: int) -> None:
    blocks: list[int] = []
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    os.set_blocking(reader, False)
    os.write(writer, b"x" * (1 << 20))
    # Not more than the pipe had at first.
    exchange.take_rest(reader, lambda block: blocks.append(len(block)) or os.write(writer, b"y" * len(block)))
    assert (sum(blocks), max(blocks) <= exchange.BLOCK) == (1 << 20, True)
    os.close(reader)
    os.close(writer)


def test_an_agent_that_never_begins_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent"))
        listener.listen(1)
        # No connection is accepted. The third one finds no place in the queue.
        for _attempt in range(3):
            with pytest.raises(exchange.NotBegun), exchange.in_session(exchange.reach(str(tmp_path / "agent")), {"command": ["x"]}):
                pass


def test_a_session_leaves_no_descriptor_open(run: int) -> None:
    before = os.listdir("/proc/self/fd")
    with _agent(_answer(b"0")) as connection, exchange.in_session(connection, {"command": ["x"]}) as running:
        exchange.exchange(running, run, io.BytesIO(b"text"), None, LIMIT)
    assert os.listdir("/proc/self/fd") == before


def test_an_agent_that_is_not_there_is_not_reached(tmp_path: object) -> None:
    assert exchange.reach(f"{tmp_path}/agent") is None


@pytest.mark.parametrize(
    ("blocks", "rest", "found"),
    [
        pytest.param([b"ready\n"], b"", True, id="the marker alone"),
        pytest.param([b"ready\nready\n"], b"ready\n", True, id="the marker twice"),
        pytest.param([b"re", b"ady", b"\nout", b"put"], b"output", True, id="the marker in pieces"),
        pytest.param([b"reading"], b"reading", False, id="another beginning"),
        pytest.param([b"rea", b"ding"], b"reading", False, id="another beginning in pieces"),
        pytest.param([b"rea"], b"rea", False, id="a part of the marker alone"),
        pytest.param([b"output ready\n"], b"output ready\n", False, id="the marker later"),
        pytest.param([], b"", False, id="no output"),
    ],
)
def test_a_marker_is_dropped_and_a_stream_without_it_is_whole(blocks: list[bytes], rest: bytes, found: bool) -> None:
    stdout, keep = exchange.kept(100)
    take, has_marker = exchange.after_marker(b"ready\n", keep)
    for block in blocks:
        take(block)
    assert (has_marker(), stdout()) == (found, rest)

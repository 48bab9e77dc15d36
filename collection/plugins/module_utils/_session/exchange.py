# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a command in a tree, by the tree's session or in a container of its own, and its three streams. Names can change at any time.

from __future__ import annotations

import fcntl
import io
import json
import os
import selectors
import socket
import struct
import subprocess
import termios
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO, NamedTuple, cast

BLOCK = 1 << 20
Sink = Callable[[bytes], Any]
Connection = socket.socket
# Seconds for the agent to begin, which it does at once, unless its Python has just been replaced.
_TIMEOUT = 60


class NotBegun(Exception):
    """The agent is not there any more, and the command has not been run."""


class Died(Exception):
    """The agent ended before the command."""


class RunEnded(Exception):
    """The run of Ansible that the command belongs to was killed."""


class TooMuch(Exception):
    """The command prints more than is kept."""


class Running(NamedTuple):
    stdin: int
    stdout: int
    stderr: int
    # Readable when the command may have ended.
    ended: int
    # Its exit status, 128 + N for signal N, once it has ended.
    status: Callable[[], int | None]
    close_stdin: Callable[[], None]


def frame(request: dict[str, Any]) -> bytes:
    """A request as the agent reads it: its length in four bytes, then JSON."""
    text = json.dumps(request).encode("ascii")
    return struct.pack("!I", len(text)) + text


def reach(agent: str) -> Connection | None:
    """A connection to the agent that listens on this socket, for one request; none when there is none."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT)
    try:
        connection.connect(agent)
    except OSError:
        connection.close()
        return None
    return connection


@contextmanager
def in_session(connection: Connection | None, request: dict[str, Any]) -> Iterator[Running]:
    """Has the agent do what is requested. Leaving early ends the command and all that it started."""
    if connection is None:
        raise NotBegun("nobody listens")
    ours, theirs = _pipes()
    try:
        data = frame(request)
        try:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", theirs))
            sent = connection.sendmsg([data], [rights])
            # To send nothing fails too, where the command has run and the agent closed the connection already.
            if sent < len(data):
                connection.sendall(data[sent:])
            _close(theirs)
            # Without room for descriptors: none is ever accepted.
            begun = connection.recv(1)
        except OSError as problem:
            raise NotBegun(str(problem)) from problem
        if not begun:
            raise NotBegun("it closed the connection")
        stdin, stdout, stderr = ours
        yield Running(stdin, stdout, stderr, connection.fileno(), lambda: _answer(connection), lambda: os.close(ours.pop(0)))
    finally:
        connection.close()
        _close([*ours, *theirs])


@contextmanager
def in_own_container(argv: list[str]) -> Iterator[Running]:
    """Runs a command on the host that starts a container."""
    # Only a module has run_command. pylint: disable-next=ansible-bad-function
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        ended = os.pidfd_open(process.pid)
        stdin, stdout, stderr = cast(list[IO[bytes]], [process.stdin, process.stdout, process.stderr])
        try:
            yield Running(stdin.fileno(), stdout.fileno(), stderr.fileno(), ended, lambda: _status(process.wait()), stdin.close)
        finally:
            os.close(ended)
            if process.poll() is None:
                process.terminate()


def _pipes() -> tuple[list[int], list[int]]:
    """Three pipes: this side's ends and the other's, which are all that a container gets of the host."""
    inner, stdin = os.pipe()
    stdout, inner_stdout = os.pipe()
    stderr, inner_stderr = os.pipe()
    return [stdin, stdout, stderr], [inner, inner_stdout, inner_stderr]


def _close(descriptors: list[int]) -> None:
    while descriptors:
        with suppress(OSError):
            os.close(descriptors.pop())


def _answer(connection: socket.socket) -> int | None:
    try:
        return _status(int(connection.recv(16)))
    except (OSError, ValueError) as problem:
        raise Died from problem


def _status(status: int) -> int:
    return 128 - status if status < 0 else status & 0xFF


def exchange(running: Running, run: int, source: BinaryIO, sink: Sink | None, limit: int) -> tuple[int, bytes, bytes]:
    """Feeds the command until it ends: its exit status, what it printed, unless the sink takes that, and standard error.

    `run`: a descriptor of the process whose end ends the command. `limit`: bytes of a stream that are kept. What the command has left
    running in the background is not waited for, though it may hold the streams.
    """
    output, keep = _kept(limit)
    said, keep_said = _kept(limit)
    outputs = ((running.stdout, sink or keep), (running.stderr, keep_said))
    with selectors.DefaultSelector() as selector:
        for descriptor in (running.stdin, running.stdout, running.stderr):
            os.set_blocking(descriptor, False)
        selector.register(running.stdin, selectors.EVENT_WRITE, _feeder(running.stdin, source))
        for descriptor, take in outputs:
            selector.register(descriptor, selectors.EVENT_READ, _drain(descriptor, take))
        selector.register(running.ended, selectors.EVENT_READ)
        selector.register(run, selectors.EVENT_READ)
        while True:
            status = None
            for key, _events in selector.select():
                if key.fd == run:
                    raise RunEnded
                if key.fd == running.ended:
                    status = running.status()
                elif not key.data():
                    selector.unregister(key.fd)
                    if key.fd == running.stdin:
                        running.close_stdin()
            if status is not None:
                break
        for descriptor, take in outputs:
            if descriptor in selector.get_map():
                _take_rest(descriptor, take)
    return status, output.getvalue(), said.getvalue()


def _feeder(descriptor: int, source: BinaryIO) -> Callable[[], bool]:
    block = memoryview(b"")

    def feed() -> bool:
        nonlocal block
        try:
            block = block or memoryview(source.read(BLOCK))
            written = os.write(descriptor, block) if block else 0
        except BrokenPipeError:
            # The command has closed its end early.
            return False
        except BlockingIOError:
            return True
        block = block[written:]
        return written > 0

    return feed


def _drain(descriptor: int, take: Sink) -> Callable[[], bool]:
    def drain() -> bool:
        try:
            block = os.read(descriptor, BLOCK)
        except BlockingIOError:
            return True
        if block:
            take(block)
        return bool(block)

    return drain


def _take_rest(descriptor: int, take: Sink) -> None:
    """What is in the pipe at the end of the command, and no more: what it left running may print for ever."""
    rest = bytearray(4)
    fcntl.ioctl(descriptor, termios.FIONREAD, rest)
    # Where a container takes it back, nothing is left.
    with suppress(BlockingIOError):
        take(os.read(descriptor, struct.unpack("i", rest)[0]))


def _kept(limit: int) -> tuple[io.BytesIO, Sink]:
    """A buffer, and what fills it with at most so many bytes."""
    buffer = io.BytesIO()

    def keep(block: bytes) -> None:
        if buffer.tell() + len(block) > limit:
            raise TooMuch
        buffer.write(block)

    return buffer, keep

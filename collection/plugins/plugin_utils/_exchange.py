# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a command in a tree, by the tree's session or in a container of its own, and its three streams. Names can change at any time.

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import subprocess
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, NamedTuple, cast

from ansible_collections.nspawn.runner.plugins.module_utils._session_agent import BEGUN, STATUS

BLOCK = 1 << 20
# Seconds for the agent to begin, which it does at once, unless its Python has just been replaced.
_TIMEOUT = 60


class NotBegun(Exception):
    """The agent is not there any more, and the command has not been run."""


class Died(Exception):
    """The agent ended before the command."""


class Running(NamedTuple):
    stdin: int
    stdout: int
    stderr: int
    # Readable when the command may have ended.
    ended: int
    # Its exit status, 128 + N for signal N, once it has ended.
    status: Callable[[], int | None]
    close_stdin: Callable[[], None]


@contextmanager
def in_session(agent: str, request: dict[str, Any]) -> Iterator[Running]:
    """Has the agent that listens on this socket do what is requested. Leaving early ends the command and all that it started."""
    ours, theirs = _pipes()
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_TIMEOUT)
        text = json.dumps(request).encode("ascii")
        try:
            connection.connect(agent)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", theirs))
            sent = connection.sendmsg([struct.pack("!I", len(text)), text], [rights])
            connection.sendall((struct.pack("!I", len(text)) + text)[sent:])
            _close(theirs)
            # Without room for descriptors: none is ever accepted.
            begun = connection.recv(1)
        except OSError as problem:
            raise NotBegun(str(problem)) from problem
        if begun != BEGUN:
            raise NotBegun("it closed the connection")
        stdin, stdout, stderr = ours
        yield Running(stdin, stdout, stderr, connection.fileno(), lambda: _answer(connection), lambda: os.close(ours.pop(0)))
    finally:
        connection.close()
        _close([*ours, *theirs])


@contextmanager
def in_own_container(argv: list[str]) -> Iterator[Running]:
    """Runs a command on the host that starts a container."""
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
        answer = connection.recv(STATUS.size + 1)
    except OSError:
        answer = b""
    if len(answer) != STATUS.size:
        raise Died
    return _status(STATUS.unpack(answer)[0])


def _status(status: int) -> int:
    return 128 - status if status < 0 else status & 0xFF


def exchange(running: Running, source: Iterable[bytes], sink: Callable[[bytes], Any]) -> tuple[int, bytes]:
    """Feeds the command and gives what it prints to `sink`, until it ends; its exit status and what it said on standard error.

    What it has left running in the background is not waited for, though it may hold the streams.
    """
    said: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        for descriptor in (running.stdin, running.stdout, running.stderr):
            os.set_blocking(descriptor, False)
        selector.register(running.stdin, selectors.EVENT_WRITE, _feeder(running.stdin, iter(source)))
        selector.register(running.stdout, selectors.EVENT_READ, _drain(running.stdout, sink))
        selector.register(running.stderr, selectors.EVENT_READ, _drain(running.stderr, said.append))
        selector.register(running.ended, selectors.EVENT_READ)
        while True:
            status = None
            for key, _events in selector.select():
                if key.fd == running.ended:
                    status = running.status()
                elif not key.data():
                    selector.unregister(key.fd)
                    if key.fd == running.stdin:
                        running.close_stdin()
            if status is not None:
                break
        for descriptor, take in ((running.stdout, sink), (running.stderr, said.append)):
            if descriptor in selector.get_map():
                while _drain(descriptor, take)() and _is_readable(descriptor):
                    pass
    return status, b"".join(said)


def _feeder(descriptor: int, source: Iterator[bytes]) -> Callable[[], bool]:
    block = memoryview(b"")

    def feed() -> bool:
        nonlocal block
        try:
            block = block or memoryview(next(source))
            written = os.write(descriptor, block)
            block = block[written:]
        except (StopIteration, BrokenPipeError):
            # The command may have closed its end early.
            return False
        return True

    return feed


def _drain(descriptor: int, take: Callable[[bytes], Any]) -> Callable[[], bool]:
    def drain() -> bool:
        try:
            block = os.read(descriptor, BLOCK)
        except BlockingIOError:
            return True
        if block:
            take(block)
        return bool(block)

    return drain


def _is_readable(descriptor: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(0))

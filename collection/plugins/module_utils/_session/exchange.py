# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: runs a command in a tree, in the tree's session or in a new container, and relays its three streams. Names can change at any time.

from __future__ import annotations

import fcntl
import json
import os
import selectors
import socket
import struct
import subprocess
import termios
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO, NamedTuple, cast

BLOCK = 1 << 20
Sink = Callable[[bytes], Any]
Connection = socket.socket
# Seconds for the agent's first answer, which comes at once unless an upgrade has just replaced the tree's Python, and for the first output
# of a container that tells of its start.
TIMEOUT = 60


class NotBegun(Exception):
    """The agent cannot be reached, and the command has not been run."""


class Died(Exception):
    """The agent ended before the command."""


class RunEnded(Exception):
    """The run of Ansible that started the command was killed."""


class TooMuch(Exception):
    """The command printed more than the limit, and its output is of no use in part."""


class Running(NamedTuple):
    """A command, with the descriptors of its streams."""

    stdin: int
    stdout: int
    stderr: int
    # Descriptor that is readable when the command has ended.
    ended: int
    # Exit status, 128 + N for signal N. Raises Died.
    status: Callable[[], int]
    close_stdin: Callable[[], None]


def frame(request: dict[str, Any]) -> bytes:
    """A request in the agent's format: the length in four bytes, then JSON."""
    text = json.dumps(request).encode("ascii")
    return struct.pack("!I", len(text)) + text


def reach(agent: str) -> Connection | None:
    """A connection for one request to the agent with this socket; None if no agent listens."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT)
    try:
        connection.connect(agent)
    except OSError:
        connection.close()
        return None
    return connection


@contextmanager
def in_session(connection: Connection | None, request: dict[str, Any], stdin: int | None = None) -> Iterator[Running]:
    """Sends the request to the agent. An exception in the body ends the command and its children. Raises NotBegun.

    `stdin`: a descriptor of sealed memory as the command's standard input, in place of a pipe.
    """
    if connection is None:
        raise NotBegun("no agent listens")
    ends, container_ends = _pipes()
    try:
        if stdin is not None:
            os.dup2(stdin, container_ends[0], inheritable=False)
        data = frame(request)
        try:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", container_ends))
            sent = connection.sendmsg([data], [rights])
            # Not sendall() of an empty rest: it fails if the command has ended and the agent has closed the connection.
            if sent < len(data):
                connection.sendall(data[sent:])
            _close(container_ends)
            # recv() leaves no room for descriptors, so none from the container is accepted.
            begun = connection.recv(1)
        except OSError as problem:
            raise NotBegun(str(problem)) from problem
        if not begun:
            raise NotBegun("the agent closed the connection")
        own_stdin, stdout, stderr = ends
        yield Running(own_stdin, stdout, stderr, connection.fileno(), lambda: _answer(connection), lambda: os.close(ends.pop(0)))
    finally:
        connection.close()
        _close([*ends, *container_ends])


@contextmanager
def in_own_container(argv: list[str]) -> Iterator[Running]:
    """Runs a command of the host that starts a container. An exception in the body terminates the command."""
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
    """Three pipes: the ends of this process, and the ends for the container, which gets no other descriptor of the host."""
    container_stdin, stdin = os.pipe()
    stdout, container_stdout = os.pipe()
    stderr, container_stderr = os.pipe()
    container_ends = [container_stdin, container_stdout, container_stderr]
    for descriptor in container_ends:
        # For /dev/stdout and its like: in a user namespace, root is another user than the owner of these pipes.
        os.fchmod(descriptor, 0o666)
    return [stdin, stdout, stderr], container_ends


def _close(descriptors: list[int]) -> None:
    while descriptors:
        with suppress(OSError):
            os.close(descriptors.pop())


def _answer(connection: socket.socket) -> int:
    try:
        return _status(int(connection.recv(16)))
    except (OSError, ValueError) as problem:
        raise Died from problem


def _status(status: int) -> int:
    return 128 - status if status < 0 else status & 0xFF


def exchange(
    running: Running, run: int, source: BinaryIO, sink: Sink | None, limit: int, *, whole: bool = False, patience: float | None = None
) -> tuple[int, bytes, bytes]:
    """Relays the streams until the command ends, and returns exit status, standard output and standard error.

    `source`: the standard input. `sink`: takes the standard output, of which nothing is returned then. `limit`, `whole`: see kept(), for standard
    output; of standard error a part is always enough. `run`: a descriptor of Ansible's main process (pidfd), whose end raises RunEnded.
    `patience`: seconds for the first byte of standard output; none in this time raises NotBegun. Processes that the command leaves in the
    background can hold the streams, and are not waited for.
    """
    stdout, keep_stdout = kept(limit, whole)
    stderr, keep_stderr = kept(limit)
    outputs = ((running.stdout, sink or keep_stdout), (running.stderr, keep_stderr))
    deadline = None if patience is None else time.monotonic() + patience
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
            for key, _events in selector.select(deadline and max(0, deadline - time.monotonic())):
                if key.fd == run:
                    raise RunEnded
                if key.fd == running.stdout:
                    deadline = None
                if key.fd == running.ended:
                    status = running.status()
                elif not key.data():
                    selector.unregister(key.fd)
                    if key.fd == running.stdin:
                        running.close_stdin()
            if status is not None:
                break
            if deadline and time.monotonic() >= deadline:
                raise NotBegun(f"no output after {patience:g} s")
        for descriptor, take in outputs:
            if descriptor in selector.get_map():
                take_rest(descriptor, take)
    return status, stdout(), stderr()


def _feeder(descriptor: int, source: BinaryIO) -> Callable[[], bool]:
    block = memoryview(b"")

    def feed() -> bool:
        nonlocal block
        try:
            block = block or memoryview(source.read(BLOCK))
            written = os.write(descriptor, block) if block else 0
        except BrokenPipeError:
            # The command does not read on.
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


def take_rest(descriptor: int, take: Sink) -> None:
    """Reads the bytes in the pipe at the end of the command, and no more: processes in the background could print without end."""
    number = bytearray(4)
    fcntl.ioctl(descriptor, termios.FIONREAD, number)
    left = struct.unpack("i", number)[0]
    # The container has the other end, and can take the bytes back.
    with suppress(BlockingIOError):
        while left > 0 and (block := os.read(descriptor, min(left, BLOCK))):
            take(block)
            left -= len(block)


def kept(limit: int, whole: bool = False) -> tuple[Callable[[], bytes], Sink]:
    """A function that returns the bytes of a stream, and the sink that takes them.

    Of a stream with more than `limit` bytes the function returns the beginning and the end, half of the limit each, with a line about the gap in
    between. `whole`: such a stream raises TooMuch instead.
    """
    half = limit // 2
    head, tail = bytearray(), bytearray()
    # The tail is a ring when it is full: `oldest` is its first byte.
    oldest = gap = 0

    def keep(block: bytes) -> None:
        nonlocal oldest, gap
        room = limit - half - len(head)
        head.extend(block[:room])
        rest = memoryview(block)[room:]
        room = half - len(tail)
        tail.extend(rest[:room])
        rest = rest[room:]
        gap += len(rest)
        if gap and whole:
            raise TooMuch
        rest = rest[-half:]
        while rest:
            size = min(len(rest), half - oldest)
            end = oldest + size
            tail[oldest:end] = rest[:size]
            oldest = end % half
            rest = rest[size:]

    def result() -> bytes:
        words = b"\n[nspawn.runner: %d bytes are left out here, since this output has more than %d]\n" % (gap, limit) if gap else b""
        return b"".join([head, words, memoryview(tail)[oldest:], memoryview(tail)[:oldest]])

    return result, keep


def after_marker(marker: bytes, take: Sink) -> tuple[Sink, Callable[[], bool]]:
    """A sink that drops `marker` from the beginning of a stream, and a function for the end of the stream: whether the marker was found.

    `take` gets a stream without the marker as a whole.
    """
    head = b""
    found: bool | None = None

    def pass_on(block: bytes) -> None:
        nonlocal head, found
        if found is None:
            head += block
            if len(head) < len(marker) and marker.startswith(head):
                return
            found = head.startswith(marker)
            start = len(marker) if found else 0
            block = head[start:]
        if block:
            take(block)

    def end() -> bool:
        nonlocal found
        if found is None:
            found = False
            take(head)
        return found

    return pass_on, end

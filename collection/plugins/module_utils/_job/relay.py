# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a command in a job's container, with the streams, the terminal and the signals of this process. Names can change at any time.

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import stat
import struct
import termios
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import SYSTEM_PATH
from ansible_collections.nspawn.runner.plugins.module_utils._session.exchange import BLOCK, Connection, NotBegun, Running, in_session, reach, take_rest

# Seconds between a request to stop and the end of the command: the agent kills after ten of them.
_STOP = 15
# Seconds between two looks at the time.
_LOOK = 2
# Variables of the caller's terminal that programs in the container ask for.
_OF_TERMINAL = ("TERM", "COLORTERM")


class Command(NamedTuple):
    argv: Sequence[str]
    user: str
    # Variables beside those that the agent takes from the user's entry.
    environment: Mapping[str, str]
    # Directories, of which the last that exists is the command's; none for the user's home.
    directories: Sequence[str] = ()


class Result(NamedTuple):
    # Exit status, 128 + N for signal N.
    status: int
    # Whether a signal to this process has ended the command.
    stopped: bool


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of each command in a job, with the image's own variables for jobs."""
    return {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **variables}


def run(agent: str, command: Command, stdin: int | None = None, *, terminal: bool = False) -> Result:
    """Runs a command in the container of this agent. Raises NotBegun, or Died if the container or the command's handler is gone.

    `stdin`: a descriptor of sealed memory; None for the standard input of this process. `terminal`: as ssh does, a terminal in the container has the
    size of this one, and this one passes on all keys.
    """
    request: dict[str, Any] = {
        "command": [*command.argv],
        "user": command.user,
        "environment": dict(command.environment),
        "directory": [*command.directories],
    }
    if terminal:
        request["size"] = _size()
        request["environment"].update({name: os.environ[name] for name in _OF_TERMINAL if name in os.environ})
    connection = _connect(agent)
    with in_session(connection, request, stdin) as running, _raw(terminal):
        if connection is None:
            raise NotBegun("no agent listens")
        # Not the time limit of the first answer: a command takes as long as it takes.
        connection.settimeout(None)
        with _signals(connection, terminal) as stops:
            return _relay(running, stdin is None, stops)


def _connect(agent: str) -> Connection | None:
    """A connection to the socket `agent`; None if no agent listens. A booted container can write in the socket's directory."""
    try:
        # Not the path: a link there could lead to a socket of the host.
        descriptor = os.open(agent, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return reach(f"/proc/self/fd/{descriptor}") if stat.S_ISSOCK(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)


def answers(agent: str) -> bool:
    """Whether an agent listens on the socket `agent`."""
    connection = _connect(agent)
    if connection is None:
        return False
    connection.close()
    return True


def has_terminal() -> bool:
    """Whether a person is at the standard streams of this process."""
    return os.isatty(0) and os.isatty(1)


def _size() -> list[int]:
    rows, columns = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[:2]
    return [rows or 24, columns or 80]


@contextmanager
def _raw(wanted: bool) -> Iterator[None]:
    """Has the terminal of this process pass on all keys during the body."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _signals(connection: Connection, terminal: bool) -> Iterator[list[float]]:
    """Passes signals to the agent during the body. Yields the times of the requests to stop."""
    stops: list[float] = []

    def tell(message: dict[str, Any]) -> None:
        with suppress(OSError):
            connection.sendall(json.dumps(message).encode() + b"\n")

    def stop(number: int, frame: Any) -> None:
        tell({"kill": True} if stops else {"stop": True})
        stops.append(time.monotonic())

    handlers: dict[int, Any] = {signal.SIGTERM: stop, signal.SIGHUP: stop}
    handlers[signal.SIGINT] = lambda number, frame: tell({"signal": int(signal.SIGINT)})
    handlers[signal.SIGQUIT] = lambda number, frame: tell({"signal": int(signal.SIGQUIT)})
    if terminal:
        handlers[signal.SIGWINCH] = lambda number, frame: tell({"size": _size()})
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _relay(running: Running, reads: bool, stops: list[float]) -> Result:
    """Moves bytes until the command ends, or, after a request to stop, for _STOP seconds."""
    outputs = {running.stdout: 1, running.stderr: 2}
    rest = memoryview(b"")
    takes_stdin = True
    if not reads:
        running.close_stdin()
        takes_stdin = False
    else:
        os.set_blocking(running.stdin, False)
    while True:
        poll = select.poll()
        poll.register(running.ended, select.POLLIN)
        for descriptor in outputs:
            poll.register(descriptor, select.POLLIN)
        if takes_stdin:
            if rest:
                poll.register(running.stdin, select.POLLOUT)
            else:
                # POLLERR tells that the command reads no more.
                poll.register(running.stdin, 0)
                poll.register(0, select.POLLIN)
        # A signal handler, which asks to stop, does not end the wait.
        ready = [descriptor for descriptor, _event in poll.poll(1000 * _LOOK)]
        if running.ended in ready:
            status = running.status()
            for descriptor, target in outputs.items():
                os.set_blocking(descriptor, False)
                take_rest(descriptor, partial(_write, target))
            return Result(status, bool(stops))
        if stops and time.monotonic() - stops[0] > _STOP:
            return Result(128 + signal.SIGKILL, True)
        for descriptor in [descriptor for descriptor in outputs if descriptor in ready]:
            block = os.read(descriptor, BLOCK)
            if not block or not _write(outputs[descriptor], block):
                # Where the reader of this process has gone, the command gets SIGPIPE.
                if block:
                    _close_early(descriptor)
                del outputs[descriptor]
        if takes_stdin:
            rest, takes_stdin = _feed(running, rest, ready)


def _close_early(descriptor: int) -> None:
    """Closes a pipe. Its number stays in use until the end of the command."""
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def _feed(running: Running, rest: memoryview, ready: Sequence[int]) -> tuple[memoryview, bool]:
    """Moves standard input; returns the bytes that wait, and whether there can be more."""
    try:
        if running.stdin in ready and not rest:
            # The command's end of the pipe is closed.
            raise BrokenPipeError
        if 0 in ready and not rest:
            rest = memoryview(os.read(0, 1 << 16))
            if not rest:
                raise BrokenPipeError
        if rest:
            written = os.write(running.stdin, rest)
            rest = rest[written:]
    except BlockingIOError:
        pass
    except BrokenPipeError:
        running.close_stdin()
        return memoryview(b""), False
    except OSError:
        # For example a process in the background that may not read the terminal.
        running.close_stdin()
        return memoryview(b""), False
    return rest, True


def _write(target: int, block: bytes) -> bool:
    """Writes to a stream of this process; False if the stream has no reader any more."""
    view = memoryview(block)
    while view:
        try:
            written = os.write(target, view)
            view = view[written:]
        except BlockingIOError:
            select.select([], [target], [])
        except OSError:
            return False
    return True

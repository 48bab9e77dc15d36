# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: finds, starts and ends the session of a tree. Names can change at any time.
# Each task loads this file and its imports again: keep both small. A module that few functions need is imported in these functions.

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import stat
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any, NamedTuple, cast

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import COLLECTIONS

RUN_DIRECTORY = "/run/nspawn-runner"
# Counts the changes of the messages: a version of the collection never meets a session that another version has started.
_PROTOCOL = b"1 "
# Seconds; longer than a session takes to kill its container.
_TIMEOUT = 90
_PAUSE = 0.1
# Seconds for the session's message about the end of its container: if the agent still listens, and if not.
_GRACE, _LONG_GRACE = 2, 30
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from ansible_collections.nspawn.runner.plugins.module_utils._session.server import main; main()"


class NoAgent(RunnerError):
    """A container starts on the tree, but the tree has no Python that can run the agent."""


class Claim(NamedTuple):
    """The hold of this run of Ansible on a tree's session, until close()."""

    # Descriptor of Ansible's main process (pidfd).
    run: int
    # To the session; None without a session.
    connection: socket.socket | None
    # The reason for no session, else empty.
    no_agent: str

    def close(self) -> None:
        """Gives up the session, which then waits for its idle time."""
        os.close(self.run)
        if self.connection:
            self.connection.close()


def canonical(tree: str) -> str:
    """The tree's path without symbolic links. Raises RunnerError if there is no directory."""
    tree = os.path.normpath(tree)
    try:
        status = os.lstat(tree)
    except OSError as problem:
        remedy = "create the image first" if isinstance(problem, FileNotFoundError) else ""
        raise RunnerError(f"the tree {tree} cannot be entered: {problem.strerror}", remedy) from problem
    if stat.S_ISLNK(status.st_mode):
        raise RunnerError(f"the tree {tree} is a symbolic link", "give the directory itself")
    if not stat.S_ISDIR(status.st_mode):
        raise RunnerError(f"the tree {tree} is not a directory", "create the image first")
    tree = os.path.realpath(tree)
    if tree == "/":
        raise RunnerError("/ is the host's own root directory, not a tree", "give the directory of a tree")
    return tree


def directory(tree: str) -> str:
    """The directory of the session's sockets, which only root can enter."""
    # Not at the top: the session's program, which imports this file too, keeps less in memory.
    import hashlib

    return os.path.join(RUN_DIRECTORY, hashlib.sha256(_PROTOCOL + os.fsencode(tree)).hexdigest()[:32])


def claim(tree: str, module_utils: str, key: str, idle_time: int, busy_timeout: int) -> Claim:
    """Takes the tree's session for this run of Ansible, and starts a session if there is none.

    `module_utils`: the directory of Ansible's module code. `key`: a text for its version; a session with another key ends. `idle_time`: seconds
    that the session waits after the run. `busy_timeout`: seconds to wait for another user of the tree. Raises Busy or RunnerError.
    """
    deadline = time.monotonic() + busy_timeout
    run, message = _main_process()
    try:
        while True:
            status = os.lstat(tree)
            message.update(key=key, idle_time=idle_time, tree=[status.st_dev, status.st_ino])
            with _alone(tree):
                connection, busy = _claimed(tree, module_utils, message, run)
            if connection:
                return Claim(run, connection, "")
            if busy and time.monotonic() >= deadline:
                raise busy
            time.sleep(_PAUSE if busy else 0)
    except NoAgent as problem:
        return Claim(run, None, problem.found)
    except OSError as problem:
        os.close(run)
        raise system_error(problem, f"the session of {tree} cannot be reached") from problem
    except BaseException:
        os.close(run)
        raise


def end(tree: str, only_idle: bool = False) -> None:
    """Ends the tree's session, if there is one, and waits for the end of its container. `only_idle`: not while a run uses the session."""
    connection = _connected(tree)
    if connection:
        with connection:
            if "ending" in _asked(connection, {"end": "idle" if only_idle else "now"}):
                _await_end(connection)


def what_died(claim: Claim, tree: str, agent_lives: bool) -> str:
    """A sentence about the process of the session that was killed, for a command that did not end. `agent_lives`: the agent listens."""
    grace = _GRACE if agent_lives else _LONG_GRACE
    if claim.connection is None or not select.select([claim.connection], [], [], grace)[0]:
        return f"the process that ran this task in the container on {tree} was killed"
    with suppress(OSError, ValueError):
        line = json.loads(claim.connection.recv(65536))["last_line"]
        return f"the container on {tree} ended under this task{f'; its last line was: {line}' if line else ''}"
    return f"the process that keeps the container on {tree} was killed under this task, and the container with it"


def _main_process() -> tuple[int, dict[str, Any]]:
    """A descriptor of Ansible's main process, whose forks are the workers, and the fields of a claim that identify the run."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    pid = parent.pid if parent and parent.pid else os.getpid()
    descriptor = os.pidfd_open(pid)
    # As process.stat_fields(), which would be one more file to load.
    with open(f"/proc/{pid}/stat", "rb") as file:
        started = file.read().rpartition(b")")[2].split()[19].decode()
    # The kernel reuses process ids, and each PID namespace has other ids.
    run = f"{os.stat('/proc/self/ns/pid').st_ino} {pid} {started}"
    return descriptor, {"run": run, "name": f"process {pid}, {os.path.basename(sys.argv[0])}"}


@contextmanager
def _alone(tree: str) -> Iterator[None]:
    """Holds the lock of the tree's directory: workers that need a session at the same time start only one."""
    path = directory(tree)
    with ExitStack() as stack:
        held = False
        while not held:
            # The directory can be removed at each moment until the lock is held.
            with suppress(FileNotFoundError):
                _make_directories(path)
                stack.enter_context(locked(path, fcntl.LOCK_EX))
                held = True
        try:
            yield
        finally:
            remove_unused(path)


def _make_directories(path: str) -> None:
    for directory in (RUN_DIRECTORY, path):
        with suppress(FileExistsError):
            os.makedirs(directory, 0o700)
        status = os.lstat(directory)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o077:
            raise RunnerError(f"{directory} is not a directory that only root can enter", "remove it")


@contextmanager
def locked(path: str, operation: int) -> Iterator[None]:
    """Holds the lock of the directory. Raises FileNotFoundError if directory or lock was removed meanwhile, BlockingIOError as flock(2) does."""
    lock = os.path.join(path, "lock")
    with open(lock, "ab") as file:
        fcntl.flock(file, operation)
        if not os.path.samestat(os.stat(lock), os.fstat(file.fileno())):
            raise FileNotFoundError(lock)
        yield


def remove_unused(path: str) -> None:
    """Removes the directory if no session listens in it. The caller holds its lock."""
    if not os.path.exists(os.path.join(path, "control")):
        with suppress(OSError):
            os.unlink(os.path.join(path, "lock"))
            os.rmdir(path)


def _claimed(tree: str, module_utils: str, message: dict[str, Any], process: int) -> tuple[socket.socket | None, Busy | None]:
    """The granted connection, or the error that another process uses the tree; neither if the caller has to claim again."""
    connection = _connected(tree)
    if connection is None:
        return None, _start(tree, module_utils, message["key"])
    answer = _asked(connection, message, process)
    if "granted" in answer:
        return connection, None
    with connection:
        if "ending" in answer:
            _await_end(connection)
    return None, Busy(**answer["busy"]) if "busy" in answer else None


def _connected(tree: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(_TIMEOUT)
    try:
        connection.connect(os.path.join(directory(tree), "control"))
    except OSError:
        # No session listens.
        connection.close()
        return None
    return connection


def _asked(connection: socket.socket, message: dict[str, Any], *descriptors: int) -> dict[str, Any]:
    """The session's answer; empty if the session ends meanwhile."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
    try:
        connection.sendmsg([json.dumps(message).encode()], rights)
        return json.loads(connection.recv(65536) or "{}")
    except ConnectionError:
        return {}


def _await_end(connection: socket.socket) -> None:
    with suppress(ConnectionError):
        connection.recv(1)


def _start(tree: str, module_utils: str, key: str) -> Busy | None:
    """Starts the session's program, and returns Busy if another process uses the tree. Raises NoAgent or RunnerError."""
    options = {"tree": tree, "directory": directory(tree), "module_utils": module_utils, "key": key}
    # Only a module has run_command. pylint: disable-next=ansible-bad-function
    program = subprocess.Popen(
        [sys.executable, "-I", "-c", _PROGRAM, COLLECTIONS, json.dumps(options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        start_new_session=True,
    )
    with cast(IO[bytes], program.stdout) as output:
        line = output.readline()
        try:
            answer = json.loads(line)
        except ValueError:
            lines = (line + output.read()).decode(errors="replace")[-2000:].splitlines()
            raise RunnerError(f"the session of {tree} did not start", output=lines) from None
    if "no_agent" in answer:
        program.wait()
        raise NoAgent(**answer["no_agent"])
    if "error" in answer:
        raise RunnerError(**answer["error"])
    return Busy(**answer["busy"]) if "busy" in answer else None

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the host side of a session, a program that keeps one container on a tree and grants the container to one run at a time.
# Standard library only, no Ansible. client.py starts this program and speaks to it; the protocol can change at any time.
#
# Messages are JSON. The program prints one line: {"ready": true}, or an error's fields as {"busy": ...}, {"no_agent": ...}, {"error": ...}.
# Then it listens on a socket. A claim is answered by {"granted": true}, {"busy": ...} or {"ending": true}, and lasts until its connection
# is closed. {"end": "now" or "idle"} is answered by {"ending": true} or {"busy": ...}. Connections to an ending session close when the tree
# is free. When the container ends by itself, each claim gets {"last_line": ...}.

from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, make_state, state_path
from ansible_collections.nspawn.runner.plugins.module_utils._session.client import RUN_DIRECTORY, NoAgent, locked, remove_unused
from ansible_collections.nspawn.runner.plugins.module_utils._session.container import Container, container
from ansible_collections.nspawn.runner.plugins.module_utils._session.lock import image_lock, remove_tree_lock, tree_lock
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import STATE_DIRECTORY
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use, mounts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.beneath import directory_beneath, has_python
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps

# Seconds. A fact from the tree, cached by an earlier run, can set the variable.
_LONGEST_IDLE_TIME = 3600
PURPOSE = "a session of nspawn.runner.nspawn"


def main() -> None:
    """Starts the session with the options in the last argument (JSON), prints a line of JSON about the start, and serves until the end."""
    options = json.loads(sys.argv[-1])
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _exit)
    try:
        _run(options)
    except NoAgent as problem:
        _report({"no_agent": problem.fields()})
    except Busy as problem:
        _report({"busy": problem.fields()})
    except RunnerError as problem:
        _report({"error": problem.fields()})
    except OSError as problem:
        _report({"error": system_error(problem).fields()})


def _exit(number: int, frame: Any) -> NoReturn:
    # Raise, so that all context managers clean up.
    raise SystemExit(128 + number)


def _report(answer: dict[str, Any]) -> None:
    # The process that started this program may have ended.
    with suppress(OSError):
        os.write(1, json.dumps(answer).encode() + b"\n")


def _run(options: dict[str, Any]) -> None:
    tree = options["tree"]
    status = os.lstat(tree)
    name, state, in_place = _find_image(tree)
    # Clients wait at the socket for the end of a session: the socket is removed last, when container, tree and image are free.
    with ExitStack() as last, ExitStack() as stack:
        last.callback(_clean)
        if in_place:
            stack.enter_context(_published(tree, name))
        stack.enter_context(tree_lock(tree, None if in_place else state))
        refuse_traps(tree)
        # In the container, their mount points would be empty directories.
        mounts.detach_foreign(tree)
        mounts.refuse_mounts(tree, itself=False)
        if not has_python(tree):
            _check_usr(tree)
            # Each command starts a container of its own then.
            _mark(tree, in_place)
            raise NoAgent("the tree has no /usr/bin/python3")
        control = last.enter_context(_listener(os.path.join(options["directory"], "control")))
        agent = os.path.join(options["directory"], "agent")
        running = stack.enter_context(container(tree, name, state, in_place, options["module_utils"], agent))
        _report({"ready": True})
        _mark(tree, in_place)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(null, descriptor)
        # The name keeps the waiting clients' connections open until the end of this function.
        server = _Server(control, running, options["key"], tree, [status.st_dev, status.st_ino])
        server.serve()


def _mark(tree: str, in_place: bool) -> None:
    """Notes in the image's record that a run in place works on the published tree."""
    place = Place(*os.path.split(tree))
    if in_place and os.path.isdir(place.state):
        # A damaged record or a full disk is no reason against a task.
        with suppress(RunnerError, OSError):
            record.mark_in_place(place)


def _check_usr(tree: str) -> None:
    with directory_beneath(tree, "usr") as usr:
        if usr is None:
            raise RunnerError(f"the tree {tree} is not usable: it has no directory /usr", "create the image again")


def _find_image(tree: str) -> tuple[str, str, bool]:
    """The image's name and private directory, and whether the tree is not a staged one."""
    above = os.path.dirname(tree)
    if os.path.basename(os.path.dirname(above)) == STATE_DIRECTORY:
        return os.path.basename(above), above, False
    name = os.path.basename(tree)
    return name, state_path(above, name), True


@contextmanager
def _published(tree: str, name: str) -> Iterator[None]:
    """Holds the image's lock, as a maintenance does, if the directory has images. Raises Busy."""
    root = os.path.dirname(tree)
    with ExitStack() as stack:
        if os.path.lexists(os.path.join(root, STATE_DIRECTORY)):
            stack.enter_context(image_lock(make_state(root, name), PURPOSE))
        # An overlay that was mounted for a container on another tree holds no lock of systemd-nspawn's on this tree.
        if in_use.overlay_mounts(tree):
            raise Busy(f"the tree {tree} is in use by an overlay mount, such as a job's", "wait until it ends")
        yield


@contextmanager
def _listener(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        with suppress(FileNotFoundError):
            os.unlink(path)
        listener.bind(path)
        listener.listen(64)
        try:
            yield listener
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _clean() -> None:
    """Removes the files of ended and killed sessions and commands, except directories of trees for which a client is about to start a session."""
    for path in (os.path.join(RUN_DIRECTORY, name) for name in os.listdir(RUN_DIRECTORY)):
        with suppress(OSError):
            if os.path.isfile(path):
                remove_tree_lock(path)
                continue
            with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if not _listens(os.path.join(path, "control")):
                    for name in ("agent", "control"):
                        with suppress(FileNotFoundError):
                            os.unlink(os.path.join(path, name))
                    remove_unused(path)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) not in (errno.ENOENT, errno.ECONNREFUSED)


class _Server:
    """Grants the container to one run of Ansible at a time. A claim brings a descriptor of the run's main process (pidfd)."""

    def __init__(self, control: socket.socket, running: Container, key: str, tree: str, identity: list[int]) -> None:
        self.control = control
        self.running = running
        self.tree = tree
        # A claim with another version of Ansible's module code, or another directory at the tree's path, ends the session.
        self.identity = {"key": key, "tree": identity}
        self.selector = selectors.DefaultSelector()
        # The claim of the run that uses the session, or used it last.
        self.owner: dict[str, Any] = {}
        # Descriptor of the owner's main process; None after its end.
        self.owner_alive: int | None = None
        self.claims: set[socket.socket] = set()
        self.idle_time = 10.0
        self.idle_since = time.monotonic()
        self.ended = False
        # Last line of output of a container that ended by itself.
        self.last_line: str | None = None

    def serve(self) -> None:
        """Returns when the session was idle for its time, a client asked for the end, or the container ended."""
        self.selector.register(self.control, selectors.EVENT_READ, self._accept)
        self.selector.register(self.running.output, selectors.EVENT_READ, self._read_output)
        while not self.ended:
            wait = self.idle_since + self.idle_time - time.monotonic() if self._idle() else None
            if wait is not None and wait <= 0:
                break
            for key, _events in self.selector.select(wait):
                key.data(key.fileobj)
        if self.last_line is not None:
            for claim in self.claims:
                with suppress(OSError):
                    claim.send(json.dumps({"last_line": self.last_line}).encode())

    def _idle(self) -> bool:
        # A killed run can leave a worker at work, whose result has no reader.
        return self.owner_alive is None

    def _accept(self, control: socket.socket) -> None:
        connection, _address = control.accept()
        self.selector.register(connection, selectors.EVENT_READ, self._answer)

    def _read_output(self, output: int) -> None:
        if self.running.lines() is None:
            self.ended = True
            # unshare reports that its child was killed.
            lines = [line for line in self.running.tail if not line.startswith("unshare: ")]
            self.last_line = lines[-1] if lines else ""

    def _owner_ended(self, process: int) -> None:
        self.selector.unregister(process)
        os.close(process)
        self.owner_alive = None
        self.idle_since = time.monotonic()

    def _answer(self, connection: socket.socket) -> None:
        descriptors = array.array("i")
        try:
            data, ancillary, _flags, _address = connection.recvmsg(65536, socket.CMSG_SPACE(descriptors.itemsize))
        except ConnectionError:
            # The client was killed before it read the answer.
            data, ancillary = b"", []
        for _level, _kind, content in ancillary:
            descriptors.frombytes(content)
        if data:
            message = json.loads(data)
            answer = self._claim(message, connection, descriptors) if "run" in message else self._end(message)
            with suppress(OSError):
                connection.sendall(json.dumps(answer).encode())
        else:
            self._close(connection)
        for process in descriptors:
            os.close(process)

    def _claim(self, claim: dict[str, Any], connection: socket.socket, process: array.array[int]) -> dict[str, Any]:
        is_owner = self.owner.get("run") == claim["run"]
        if not is_owner and not self._idle():
            return self._busy()
        worker_of_killed_run = not is_owner and self.claims
        if worker_of_killed_run or any(claim[name] != value for name, value in self.identity.items()):
            self.ended = True
            return {"ending": True}
        if not is_owner:
            self.owner = claim
            self.owner_alive = os.dup(process[0])
            self.selector.register(self.owner_alive, selectors.EVENT_READ, self._owner_ended)
            # Fixed before the first task of the run enters the tree: a task can return a fact with the variable's name.
            self.idle_time = min(claim["idle_time"], _LONGEST_IDLE_TIME)
        self.claims.add(connection)
        return {"granted": True}

    def _end(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["end"] == "idle" and not self._idle():
            return self._busy()
        self.ended = True
        return {"ending": True}

    def _busy(self) -> dict[str, Any]:
        return {"busy": Busy(f"the tree {self.tree} is in use by another run ({self.owner['name']})", "wait until it ends").fields()}

    def _close(self, connection: socket.socket) -> None:
        self.selector.unregister(connection)
        connection.close()
        if connection in self.claims:
            self.claims.discard(connection)
            self.idle_since = time.monotonic()

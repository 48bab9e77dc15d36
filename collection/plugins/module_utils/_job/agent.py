# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the first process of a job's container. Standard library only, Python 3.7 and later. The protocol can change at any time.
#
# As the first process of a PID namespace, the agent cannot be killed from inside. For each connection it forks a handler, which reads one
# request (the length in four bytes, JSON, and three descriptors for the streams), starts the command and answers twice: a newline when the
# command begins, and the exit status or negative signal in digits when the command has ended. Meanwhile the client can send lines of JSON:
# {"stop": true} (TERM for all processes of the command, KILL after some seconds), {"kill": true}, {"signal": N}, {"size": [rows, columns]}.
# A closed connection ends the command at once. Processes in the background live on when their command has ended by itself.

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import json
import os
import pwd
import select
import signal
import socket
import struct
import sys
import termios
import time
from contextlib import suppress
from typing import Any, Dict, NoReturn

# The first two descriptors of socket activation: the socket, and this program.
LISTENER = 3
PROGRAM = 4

_BLOCK = 1 << 16
# Seconds between TERM and KILL, and between two looks at the processes that are left.
_GRACE, _PAUSE = 10.0, 0.05
# The kernel prefers the job's processes to the agent when memory is short.
_OOM_SCORE = "300"
CANNOT_RUN, _NOT_FOUND = 126, 127
_prctl = ctypes.CDLL(None).prctl
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_POLICY = "/usr/sbin/policy-rc.d"
_POLICY_TEXT = "#!/bin/sh\n# Placed by nspawn-runner: the container is not booted, so packages start no daemon.\nexit 101\n"

Request = Dict[str, Any]


def main() -> None:
    text = sys.argv[1]
    if text.startswith("/"):
        # As an argument of a service, systemd would read the text's special characters.
        with open(text, encoding="utf-8") as file:
            text = file.read()
    start = json.loads(text)
    _prctl(_PR_SET_NAME, b"nspawn-runner", 0, 0, 0)
    os.umask(0o022)
    if start.get("directories") is not None:
        _furnish(start)
    wake = wake_on_child()
    if "socket" in start:
        # A service of a booted container: the program that started the job looks for the socket.
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(start["socket"] + ".new")
        listener.listen(64)
        os.rename(start["socket"] + ".new", start["socket"])
    else:
        os.set_inheritable(LISTENER, False)
        os.close(PROGRAM)
        listener = socket.socket(fileno=LISTENER)
        os.write(1, b"ready\n")
    _serve(listener, wake)


def _furnish(start: Request) -> None:
    """Gives the container name servers, a name in /etc/hosts, and directories for the job. A failure of one of them does not fail the job."""
    if start.get("dns"):
        with suppress(OSError):
            _replace("/etc/resolv.conf", start["dns"], 0o644)
    with suppress(OSError, UnicodeError):
        _name_host(socket.gethostname())
    with suppress(OSError):
        os.makedirs("/run/systemd", exist_ok=True)
        _replace("/run/systemd/container", "systemd-nspawn", 0o644)
    if start.get("policy") and os.path.exists("/usr/bin/dpkg") and not os.path.lexists(_POLICY):
        with suppress(OSError):
            _replace(_POLICY, _POLICY_TEXT, 0o755)
    for path in start.get("directories", ()):
        with suppress(OSError, KeyError):
            os.makedirs(path, exist_ok=True)
            user = _user(start.get("user", "root"))
            os.chown(path, user.pw_uid, user.pw_gid)


def _replace(path: str, text: str, mode: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.chmod(path, mode)


def _name_host(name: str) -> None:
    path = "/etc/hosts"
    text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(1 << 20)
    if name not in text.split():
        gap = "" if text.endswith("\n") or not text else "\n"
        _replace(path, f"{text}{gap}127.0.1.1 {name}\n", 0o644)


def wake_on_child() -> int:
    """A descriptor that is readable when a child has ended."""
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    return wake


def _serve(listener: socket.socket, wake: int) -> NoReturn:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _event in poll.poll()]
        if wake in ready:
            os.read(wake, 4096)
            status_of(-1)
        if listener.fileno() in ready:
            connection, _address = listener.accept()
            # Where the job has taken all processes, the connection closes without an answer.
            with suppress(OSError):
                if os.fork() == 0:
                    listener.close()
                    os.close(wake)
                    try:
                        _handle(connection)
                    finally:
                        os._exit(1)
            connection.close()


def receive(connection: socket.socket) -> tuple[Request, list[int]] | None:
    """The request and its descriptors; None for a connection that closes early."""
    descriptors = array.array("i")
    data, ancillary, _flags, _address = connection.recvmsg(4, socket.CMSG_SPACE(3 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if len(data) < 4:
        return None
    length = struct.unpack("!I", data)[0]
    text = bytearray()
    while len(text) < length:
        block = connection.recv(min(length - len(text), _BLOCK))
        if not block:
            return None
        text += block
    return json.loads(text.decode("ascii")), list(descriptors)


def adopt() -> int:
    """Makes processes that a command leaves behind children of this process. Returns a descriptor that is readable when a child has ended."""
    wake = wake_on_child()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return wake


def _handle(connection: socket.socket) -> NoReturn:
    wake = adopt()
    received = receive(connection)
    if received is not None and "end" in received[0]:
        # The first process of a container ignores this signal.
        os.kill(os.getppid(), signal.SIGTERM)
    if received is None or len(received[1]) != 3:
        os._exit(0)
    request, streams = received
    master = slave = None
    try:
        if request.get("size"):
            master, slave = os.openpty()
            _set_size(master, request["size"])
        child = os.fork()
    except OSError as problem:
        _say(streams[2], f"no process starts in the container: {os.strerror(problem.errno or 0)}")
        connection.sendall(b"\n")
        connection.sendall(b"%d" % CANNOT_RUN)
        os._exit(0)
    if child == 0:
        try:
            connection.close()
            _become(request, streams, slave)
        finally:
            os._exit(CANNOT_RUN)
    connection.sendall(b"\n")
    if master is None or slave is None:
        for stream in streams:
            os.close(stream)
        pump = None
    else:
        os.close(slave)
        os.close(streams[2])
        pump = Pump(master, streams[0], streams[1])
    watch(connection, wake, child, master, pump)


def _say(descriptor: int, text: str) -> None:
    with suppress(OSError):
        os.write(descriptor, b"nspawn-runner: %s\n" % text.encode("utf-8", "replace"))


def _set_size(terminal: int, size: Any) -> None:
    rows, columns = (max(1, min(int(number), 0xFFFF)) for number in size)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Pump:
    """Moves bytes between a terminal and the two streams of its client. Each way has at most one block that waits."""

    def __init__(self, terminal: int, source: int, sink: int) -> None:
        self.terminal, self.source, self.sink = terminal, source, sink
        self.inward: bytes = b""
        self.outward: bytes = b""
        self.reads_source = self.reads_terminal = True
        for descriptor in (terminal, source, sink):
            os.set_blocking(descriptor, False)

    def wanted(self) -> list[tuple[int, int]]:
        """Descriptors with the events to wait for."""
        terminal = select.POLLIN if self.reads_terminal and not self.outward else 0
        wanted = [(self.terminal, terminal | (select.POLLOUT if self.inward else 0))] if self.reads_terminal else []
        if self.reads_source and not self.inward:
            wanted.append((self.source, select.POLLIN))
        if self.outward:
            wanted.append((self.sink, select.POLLOUT))
        return wanted

    def move(self) -> bool:
        """Moves the bytes that can be moved now; returns whether there were any."""
        moved = False
        with suppress(BlockingIOError):
            if self.reads_source and not self.inward:
                self.inward = os.read(self.source, _BLOCK)
                moved = True
                if not self.inward:
                    # The terminal's own sign for the end of input.
                    self.reads_source = False
                    self.inward = b"\x04"
        with suppress(BlockingIOError):
            if self.inward and self.reads_terminal:
                written = os.write(self.terminal, self.inward)
                self.inward = self.inward[written:]
                moved = True
        with suppress(BlockingIOError):
            if self.reads_terminal and not self.outward:
                try:
                    self.outward = os.read(self.terminal, _BLOCK)
                except BlockingIOError:
                    raise
                except OSError:
                    # EIO: no process has the terminal any more.
                    self.outward = b""
                self.reads_terminal = bool(self.outward)
                moved = moved or self.reads_terminal
        with suppress(BlockingIOError):
            if self.outward:
                try:
                    written = os.write(self.sink, self.outward)
                    self.outward = self.outward[written:]
                    moved = True
                except BrokenPipeError:
                    self.outward = b""
        return moved

    def finish(self) -> None:
        """Moves the output that is left, for a client that reads."""
        deadline = time.monotonic() + _GRACE
        while time.monotonic() < deadline:
            if not self.move() and not self.outward:
                return
            if self.outward:
                select.select([], [self.sink], [], 1)


def watch(connection: socket.socket, wake: int, child: int, master: int | None, pump: Pump | None) -> NoReturn:
    """Waits for the end of the command, obeys the client, and answers."""
    lines = b""
    status: int | None = None
    kill_at: float | None = None
    killing = False
    connection.setblocking(False)
    while True:
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(wake, select.POLLIN)
        for descriptor, events in pump.wanted() if pump else ():
            poll.register(descriptor, events)
        poll.poll(None if kill_at is None else 1000 * _PAUSE)
        with suppress(BlockingIOError):
            os.read(wake, 4096)
        if pump:
            with suppress(OSError):
                pump.move()
        ended = status_of(child)
        status = ended if ended is not None else status
        try:
            data = connection.recv(_BLOCK)
            if not data:
                raise ConnectionError
            lines += data
        except BlockingIOError:
            pass
        except OSError:
            # The client gives up the command.
            kill_descendants()
            os._exit(0)
        *whole, lines = lines.split(b"\n")
        for message in map(json.loads, whole):
            if "size" in message and master is not None:
                _set_size(master, message["size"])
            if "signal" in message and status is None:
                with suppress(OSError):
                    os.killpg(child, message["signal"])
            if "stop" in message and kill_at is None:
                kill_at = time.monotonic() + _GRACE
                _signal_descendants(signal.SIGTERM)
                if master is not None:
                    # An interactive shell ignores TERM.
                    _signal_descendants(signal.SIGHUP)
            killing = killing or "kill" in message
        if killing or (kill_at is not None and time.monotonic() >= kill_at):
            ended = kill_descendants(child)
            status = ended if ended is not None else status
            status = _KILLED if status is None else status
        if status is not None and (kill_at is None or not descendants(os.getpid())):
            if pump:
                with suppress(OSError):
                    pump.finish()
            connection.setblocking(True)
            with suppress(OSError):
                connection.sendall(b"%d" % status)
            os._exit(0)


_KILLED = -int(signal.SIGKILL)


def status_of(child: int) -> int | None:
    """Reaps the ended children; returns the exit status or negative signal of `child`, None while `child` runs."""
    result = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return result
        if pid == 0:
            return result
        if pid == child:
            result = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _signal_descendants(number: int) -> None:
    for pid in descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_descendants(child: int = -1) -> int | None:
    """Kills the descendants, also those that they fork meanwhile, for as long as _GRACE. Returns the status of `child` if it ends here."""
    deadline = time.monotonic() + _GRACE
    status = None
    while descendants(os.getpid()) and time.monotonic() < deadline:
        # A stopped process forks no more.
        _signal_descendants(signal.SIGSTOP)
        _signal_descendants(signal.SIGKILL)
        ended = status_of(child)
        status = ended if ended is not None else status
        time.sleep(0.005)
    return status


def descendants(ancestor: int) -> list[int]:
    """Ids of the living children, of their children and so on."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                parents[int(name)] = (int(parent), state)
    found = [ancestor]
    for pid in found:
        found.extend(child for child, (parent, _state) in parents.items() if parent == pid)
    return [pid for pid in found[1:] if parents[pid][1] != b"Z"]


def _user(name: str) -> pwd.struct_passwd:
    """The user's entry of this container's /etc/passwd. Raises KeyError."""
    if name.isdigit():
        try:
            return pwd.getpwuid(int(name))
        except KeyError:
            return pwd.struct_passwd((name, "x", int(name), int(name), "", "/", "/bin/sh"))
    try:
        return pwd.getpwnam(name)
    except KeyError:
        if name == "root":
            return pwd.struct_passwd(("root", "x", 0, 0, "", "/root", "/bin/sh"))
        raise


def _become(request: Request, streams: list[int], slave: int | None) -> NoReturn:
    """Makes this process the command: a session of its own, streams, user, environment."""
    os.setsid()
    # If the handler is killed, no process waits for the command.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    errors = streams[2]
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(_OOM_SCORE)
    try:
        user = _user(request["user"])
    except KeyError:
        _say(errors, f"the image has no user '{request['user']}'")
        os._exit(CANNOT_RUN)
    try:
        if slave is not None:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            with suppress(OSError):
                os.fchown(slave, user.pw_uid, -1)
            streams = [slave] * 3
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
        if user.pw_uid or user.pw_gid:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        environment = {
            "HOME": user.pw_dir,
            "USER": user.pw_name,
            "LOGNAME": user.pw_name,
            "SHELL": user.pw_shell or "/bin/sh",
            "container": "systemd-nspawn",
            **request["environment"],
        }
        os.chdir("/")
        for directory in request.get("directory") or [user.pw_dir]:
            with suppress(OSError):
                os.chdir(directory)
        os.umask(0o022)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        # A setuid clears the request for this signal.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _execute(request["command"], environment)
    except OSError as problem:
        name = request["command"][0]
        _say(2, f"{name}: {os.strerror(problem.errno or 0)}")
        os._exit(_NOT_FOUND if problem.errno == errno.ENOENT else CANNOT_RUN)
    os._exit(CANNOT_RUN)


def _execute(command: list[str], environment: dict[str, str]) -> None:
    argv = [_bytes(word) for word in command]
    variables = {_bytes(name): _bytes(value) for name, value in environment.items()}
    # Only a module has run_command. pylint: disable-next=ansible-bad-function
    os.execvpe(argv[0], argv, variables)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


if __name__ == "__main__":
    main()

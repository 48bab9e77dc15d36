# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the program of a session's container, in a zip archive with Ansible's module code.
# Standard library only, Python 3.7 and later. The protocol can change at any time.
#
# The agent's only state is imported modules, and checksums of the code that they come from. For each connection the agent forks a handler.
# The handler reads one request (the length in four bytes, JSON, and three descriptors for the streams), forks a child for the task, and
# answers twice: a newline when the task begins, and the exit status or negative signal in digits when the task has ended. Changes that a
# task makes to its process end with the child.

from __future__ import annotations

import array
import atexit
import base64
import ctypes
import gc
import importlib
import io
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import types
import zipfile
import zlib
from contextlib import suppress
from typing import Any, Dict, NamedTuple, NoReturn, Optional, Tuple

# The first two descriptors of socket activation.
LISTENER = 3
ARCHIVE = 4

_ARCHIVE_PATH = f"/proc/self/fd/{ARCHIVE}"
_BLOCK = 1 << 20
_prctl = ctypes.CDLL(None).prctl
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
# Packages that each task brings itself. Modules below them can stay imported.
_PARENTS = ("ansible", "ansible.module_utils", "ansible.modules")
# Argument for a trial run: whether the tree's Python can run the agent.
_TRIAL = "trial"
# Imports of every Ansible module.
_FIRST = ("ansible.module_utils.basic", "runpy", "tempfile")
# The file that nspawn-inside.sh writes about directories in /run, and the directories of units and of tmpfiles.d.
_RUN_DIRECTORIES = "/run/tmpfiles.d/nspawn-runner.conf"
_UNITS = ("/usr/lib/systemd/system", "/etc/systemd/system", "/usr/lib/tmpfiles.d", "/etc/tmpfiles.d")
# A string literal of Python with a zip file in base64: the module code that a task brings.
_MODULE_CODE = re.compile(rb"""["'](UEsDB[A-Za-z0-9+/=]{100,})["']""")

# Path to device, inode and modification time; None if the path is missing.
Libraries = Dict[str, Optional[Tuple[int, int, int]]]


class Agent(NamedTuple):
    # Environment of the container's first process.
    environment: dict[bytes, bytes]
    # CRC-32 of the archive's files, by name.
    checksums: dict[str, int]
    # Pipe from the tasks: names of modules that a task imported, and checksums of module code that is equal to the archive's.
    reports: int
    # Such checksums.
    archive_code: set[int]


def main() -> None:
    for name in _FIRST:
        importlib.import_module(name)
    if sys.argv[1:] == [_TRIAL]:
        # A trial run has no listener.
        return
    environment = _environment()
    for name in [name for name in os.environ if name.startswith("LISTEN_")]:
        del os.environ[name]
    for descriptor in (LISTENER, ARCHIVE):
        os.set_inheritable(descriptor, False)
    with zipfile.ZipFile(_ARCHIVE_PATH) as file:
        checksums = {info.filename: info.CRC for info in file.infolist()}
    reader, reports = os.pipe()
    agent = Agent(environment, checksums, reports, set())
    listener = socket.socket(fileno=LISTENER)
    libraries = _libraries()
    os.write(1, b"ready\n")
    _serve(agent, listener, reader, libraries)


def _environment() -> dict[bytes, bytes]:
    # Not os.environ: Python adds LC_CTYPE there if the locale is C.
    with open("/proc/self/environ", "rb") as file:
        pairs = [pair.partition(b"=") for pair in file.read().split(b"\0") if b"=" in pair]
    return {name: value for name, _equals, value in pairs if not name.startswith(b"LISTEN_")}


def _serve(agent: Agent, listener: socket.socket, reader: int, libraries: Libraries) -> NoReturn:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(reader, select.POLLIN)
    while True:
        # Frozen objects are not touched by a collection, so forks need not copy their memory.
        gc.collect()
        gc.freeze()
        ready = [descriptor for descriptor, _event in poll.poll()]
        _reap()
        replaced = _replaced(libraries)
        if replaced:
            # Before a connection is accepted, which exec would lose.
            _restart(agent)
        if LISTENER in ready:
            connection, _address = listener.accept()
            if os.fork() == 0:
                listener.close()
                os.close(reader)
                _handle(agent, connection, libraries)
            connection.close()
        else:
            names = os.read(reader, 65536)
            if not replaced:
                _learn(names, agent)
                libraries = {**_libraries(), **libraries}


def _libraries() -> Libraries:
    """The files that this process has mapped, and the directories of its imports: an upgrade of the tree's Python changes them."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        mapped = {line.split(None, 5)[5].rstrip("\n") for line in file if "/" in line}
    paths = {path for path in mapped if path.startswith("/") and not path.startswith(("/memfd:", "/dev/"))}
    paths.update(path for path in sys.path if path and path != _ARCHIVE_PATH)
    return {path.replace(" (deleted)", ""): _identity(path) for path in paths}


def _replaced(libraries: Libraries) -> bool:
    return any(_identity(path) != identity for path, identity in libraries.items())


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _restart(agent: Agent) -> None:
    """Restarts the agent with the tree's present Python, unless a trial run fails, as it can in the middle of an upgrade."""
    program = [sys.executable, _ARCHIVE_PATH]
    os.set_inheritable(ARCHIVE, True)
    # Only a module has run_command. pylint: disable-next=ansible-bad-function
    if os.spawnve(os.P_WAIT, sys.executable, [*program, _TRIAL], agent.environment) == 0:
        os.set_inheritable(LISTENER, True)
        os.execve(sys.executable, program, agent.environment)
    os.set_inheritable(ARCHIVE, False)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _learn(words: bytes, agent: Agent) -> None:
    """Imports the modules that a task imported and keeps checksums, so that the next task need not import or compare again."""
    for word in words.decode("ascii", "ignore").split():
        path = word.replace(".", "/")
        if word.isdigit():
            agent.archive_code.add(int(word))
        elif f"{path}.py" in agent.checksums or f"{path}/__init__.py" in agent.checksums:
            # In the middle of an upgrade an import can fail in any way.
            with suppress(Exception):
                importlib.import_module(word)


def _handle(agent: Agent, connection: socket.socket, libraries: Libraries) -> NoReturn:
    """Handles one request in this process, and ends the process. `libraries`: compared when the request arrives, which may be late."""
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    # Processes that a task leaves behind become children of this one, which kills them if the client gives up the task.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    received = _receive(connection)
    if received is None:
        os._exit(0)
    request, streams = received
    if "end" in request:
        os.kill(os.getppid(), signal.SIGTERM)
    if len(streams) != 3:
        os._exit(0)
    connection.sendall(b"\n")
    warm = "python" in request and not _replaced(libraries) and _is_this_python(request["python"])
    _repair(agent)
    child = os.fork()
    if child == 0:
        connection.close()
        os.close(wake)
        os.close(waker)
        # If the handler is killed, no process waits for the task.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _become_task(streams)
        _run(agent, request, warm)
    for stream in streams:
        os.close(stream)
    while True:
        readable = select.select([connection.fileno(), wake], [], [])[0]
        if connection.fileno() in readable:
            # The client closed the connection: it gives up the task.
            _kill_descendants()
            os._exit(0)
        os.read(wake, 4096)
        status = _status_of(child)
        if status is not None:
            connection.sendall(b"%d" % status)
            os._exit(0)


def _repair(agent: Agent) -> None:
    """Lets nspawn-inside.sh repair /etc/resolv.conf if an earlier task removed the file, or made it a link without a target, and make the
    directories in /run of units: at the first task, and when units came since."""
    if not os.path.exists("/etc/resolv.conf") or _has_new_units():
        with open("/proc/1/cmdline", "rb") as file:
            # The shell, -c, the script, the name of the script and the host's resolv.conf, without the command.
            script = file.read().split(b"\0")[:5]
        # Only a module has run_command. pylint: disable-next=ansible-bad-function
        os.spawnve(os.P_WAIT, script[0], script, agent.environment)


def _has_new_units(made: str = _RUN_DIRECTORIES, sources: tuple[str, ...] = _UNITS) -> bool:
    """Whether a directory in `sources` has changed since the file `made` was written, or is there without this file."""
    try:
        time = os.stat(made).st_mtime_ns
    except OSError:
        time = 0
    for path in sources:
        # An equal time can be that of a later change, since the kernel's clock for files is slow.
        with suppress(OSError):
            if os.stat(path).st_mtime_ns >= time:
                return True
    return False


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
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
        block = connection.recv(min(length - len(text), 65536))
        if not block:
            return None
        text += block
    return json.loads(text.decode("ascii")), list(descriptors)


def _is_this_python(path: str) -> bool:
    found = shutil.which(path)
    if not found or os.path.realpath(found) != os.path.realpath(sys.executable):
        return False
    # A link in another directory can belong to a virtual environment.
    return os.path.samefile(os.path.dirname(found), os.path.dirname(sys.executable))


def _status_of(child: int) -> int | None:
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


def _kill_descendants() -> None:
    while True:
        children = _descendants(os.getpid())
        if not children:
            return
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _descendants(ancestor: int) -> list[int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found = [ancestor]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found[1:]


def _become_task(streams: list[int]) -> None:
    """Makes this process one that a shell could have started: a new session, three streams, default signals."""
    os.setsid()
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _run(agent: Agent, request: dict[str, Any], warm: bool) -> NoReturn:
    try:
        if "put" in request:
            _copy_file(0, os.open(_bytes(request["put"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666))
        elif "fetch" in request:
            _copy_file(os.open(_bytes(request["fetch"]), os.O_RDONLY), 1)
        elif warm:
            _run_python(agent)
        else:
            # Python ignores these signals, and a program would inherit that.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.execve(_bytes(request["command"][0]), list(map(_bytes, request["command"])), agent.environment)
    except OSError as problem:
        prefix = os.fsencode(problem.filename) + b": " if problem.filename else b""
        os.write(2, prefix + os.strerror(problem.errno or 0).encode() + b"\n")
        os._exit(127 if "command" in request else 1)
    os._exit(0)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _copy_file(source: int, target: int) -> None:
    while True:
        block = memoryview(os.read(source, _BLOCK))
        if not block:
            break
        while block:
            written = os.write(target, block)
            block = block[written:]
    os.close(target)


def _run_python(agent: Agent) -> NoReturn:
    """Runs a program from standard input in this process, as `python3` would."""
    source = io.FileIO(0, closefd=False).readall()
    preloaded = {name for name in sys.modules if name.startswith("ansible.")}
    checksum, is_archive_code = _is_archive_code(source, agent)
    for name in _PARENTS if is_archive_code else [*_PARENTS, *preloaded]:
        sys.modules.pop(name, None)
    sys.argv = [""]
    sys.path[0] = ""
    imported = set(sys.modules)
    status = _status_of_program(source)
    if is_archive_code:
        words = [name for name in sys.modules if name.startswith("ansible.module_utils.") and name not in preloaded]
        if checksum not in agent.archive_code:
            words.append(str(checksum))
        _send_words(agent.reports, words)
    _finalize(imported)
    os._exit(status if _flushed() else 120)


def _status_of_program(source: bytes) -> int:
    program = types.ModuleType("__main__")
    program.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = program
    try:
        exec(compile(source, "<stdin>", "exec"), program.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException as problem:
        # Without the line of exec() above.
        traceback = problem.__traceback__ and problem.__traceback__.tb_next
        sys.excepthook(type(problem), problem.with_traceback(traceback), traceback)
        return 1
    return 0


def _finalize(imported: set[str]) -> None:
    """Ends the task's threads, exit functions and modules as Python does at its end. Modules imported before stay: to free them would copy memory."""
    threading._shutdown()  # type: ignore[attr-defined]
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for name in {*sys.modules} - imported | {"__main__"}:
        sys.modules.pop(name, None)
    gc.collect()


def _flushed() -> bool:
    done = True
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream and not stream.closed:
                stream.flush()
        except Exception:
            done = False
    return done


def _is_archive_code(source: bytes, agent: Agent) -> tuple[int, bool]:
    """The checksum of the module code that a task brings, and whether the code is the archive's: a playbook can have module_utils of its own."""
    found = _MODULE_CODE.search(source)
    if found is None:
        return 0, False
    checksum = zlib.crc32(found[1])
    if checksum in agent.archive_code:
        return checksum, True
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(found[1]))) as archive:
        return checksum, all(
            agent.checksums.get(info.filename) == info.CRC
            for info in archive.infolist()
            # Ansible generates this file for each task.
            if info.filename.startswith("ansible/module_utils/") and info.filename != "ansible/module_utils/__init__.py"
        )


def _send_words(pipe: int, words: list[str]) -> None:
    if not words:
        return
    os.set_blocking(pipe, False)
    # One write of at most PIPE_BUF bytes: the words of two tasks do not mix.
    text = "".join(f"{word} " for word in words).encode("ascii", "ignore")[: select.PIPE_BUF]
    with suppress(OSError):
        os.write(pipe, text.rpartition(b" ")[0] + b" ")


if __name__ == "__main__":
    main()

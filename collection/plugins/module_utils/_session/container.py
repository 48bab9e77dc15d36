# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the container of a session, with the agent in it. Standard library only, no Ansible. Names can change at any time.

from __future__ import annotations

import fcntl
import os
import select
import socket
import stat
import subprocess
import time
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, cast

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import (
    BUSY_MESSAGE,
    check_user_namespace,
    container_argv,
    flags,
    read_container_file,
)
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import FILES
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import SYSTEM_PATH
from ansible_collections.nspawn.runner.plugins.module_utils._host.scope import enter_scope
from ansible_collections.nspawn.runner.plugins.module_utils._host.suppress_sync import suppress_sync
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible_line
from ansible_collections.nspawn.runner.plugins.module_utils._session.client import NoAgent
from ansible_collections.nspawn.runner.plugins.module_utils._session.exchange import frame
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import ENVIRONMENT, STAGED_FLAGS

# Seconds for the start of a container, and for its end after the agent's: longer for a staged tree, from which only this end removes files.
_START, _END, _STAGED_END = 60, 10, 60
# Bytes of a line of output, of which the container could print more.
_LINE = 8192
_AGENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent.py")
_PYTHON = "/usr/bin/python3"
# Socket activation passes the listener and the archive as descriptors 3 and 4. Popen can only number them 0 and 1, so the shell moves them.
# The other streams are the pipe of standard error: by a descriptor of /dev/null, root in the container could change mode and times of the host's.
DESCRIPTORS = "export LISTEN_FDS=2 LISTEN_PID=$$; exec 3<&0 4<&1 0<&2 1>&2; "
_F_ADD_SEALS, _ALL_SEALS = 1033, 0xF


class Container:
    def __init__(self, process: subprocess.Popen[bytes], agent: str) -> None:
        self.process = process
        # Path of the agent's socket.
        self.agent = agent
        # The container's last lines of output.
        self.tail: deque[str] = deque(maxlen=10)
        self._rest = b""

    @property
    def output(self) -> int:
        """The descriptor of the container's output."""
        return cast(IO[bytes], self.process.stderr).fileno()

    def lines(self) -> list[str] | None:
        """The new lines of output, made visible; None at the end of the output. Blocks if there is no output yet."""
        data = os.read(self.output, 65536)
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_LINE:]
        lines = [visible_line(line) for line in whole]
        self.tail.extend(lines)
        return lines if data else None

    def end(self, patience: float) -> None:
        """Asks the agent to end, so that the container removes the session's files from the tree; kills the container after `patience` seconds."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_END)
            connection.connect(self.agent)
            connection.sendall(frame({"end": True}))
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        self.process.kill()
        self.process.wait()
        # The processes below get a signal at the end of this one (guarded), and hold the pipe until they have ended.
        deadline = time.monotonic() + _END
        while (left := deadline - time.monotonic()) > 0 and select.select([self.output], [], [], left)[0] and self.lines() is not None:
            pass


@contextmanager
def container(tree: str, name: str, state: str, in_place: bool, module_utils: str, agent: str) -> Iterator[Container]:
    """Runs a container on the tree for the body, with an agent that listens on the socket `agent`.

    `name`, `state`: the image's name and private directory. `in_place`: the tree is not a staged one. `module_utils`: the directory of Ansible's
    module code. Raises Busy, NoAgent or RunnerError.
    """
    arguments, environment = read_container_file(state)
    # The filter is set in this process, which writes nothing itself, and systemd-nspawn inherits it. Without the filter, and in containers of
    # the wrapper, STAGED_FLAGS still make dpkg skip its syncs.
    if not in_place and _may_filter(arguments, environment):
        suppress_sync()
    argv = container_argv(tree, [*flags(name), *(() if in_place else STAGED_FLAGS), *arguments, "--", *_payload()], DESCRIPTORS)
    enter_scope("A session of nspawn.runner", list(devices(arguments)))
    with _archive(module_utils) as archive:
        running = launch(argv, archive, agent, environment)
    try:
        wait_ready(running, tree, arguments)
        yield running
    finally:
        running.end(_END if in_place else _STAGED_END)
        with suppress(FileNotFoundError):
            os.unlink(agent)


def launch(argv: list[str], program: int, agent: str, environment: dict[str, str]) -> Container:
    """Starts a container. Its payload gets the listener of the socket `agent` and the descriptor `program` by DESCRIPTORS."""
    with socket.socket(socket.AF_UNIX) as listener:
        with suppress(FileNotFoundError):
            os.unlink(agent)
        listener.bind(agent)
        listener.listen(64)
        return start(argv, listener.fileno(), program, agent, environment)


def start(argv: list[str], stdin: int, stdout: int, agent: str, environment: dict[str, str]) -> Container:
    """Starts a container with these streams. `agent`: the socket at which its agent will listen."""
    # Only a module has run_command. pylint: disable-next=ansible-bad-function
    process = subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd="/",
        umask=0o022,
        start_new_session=True,
        env=host_environment(environment),
    )
    return Container(process, agent)


def _may_filter(arguments: Sequence[str], environment: dict[str, str]) -> bool:
    """Whether the image allows filters of system calls, and no directory of the host is writable: a publish syncs only the tree."""
    return environment.get("SYSTEMD_SECCOMP") != "0" and not any(argument.startswith("--bind=") for argument in arguments)


def _payload() -> list[str]:
    with open(os.path.join(FILES, "nspawn-inside.sh"), encoding="utf-8") as file:
        inside = file.read()
    dns = ""
    with suppress(OSError), open("/etc/resolv.conf", encoding="utf-8", errors="surrogateescape") as file:
        dns = file.read()
    start = f"echo started; [ -x {_PYTHON} ] || exit 127; exec {_PYTHON} /proc/self/fd/4"
    return ["/bin/sh", "-c", inside, "nspawn-runner", dns, "/bin/sh", "-c", start]


@contextmanager
def _archive(module_utils: str) -> Iterator[int]:
    """A descriptor of the agent with Ansible's module code, as a zip archive that Python runs, in sealed memory (memfd_create(2))."""
    descriptor = os.memfd_create("nspawn-runner", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "w+b", closefd=False) as memory, zipfile.ZipFile(memory, "w") as archive:
            archive.write(_AGENT, "__main__.py")
            archive.writestr("ansible/__init__.py", "")
            for directory, _directories, files in os.walk(module_utils):
                for file in files:
                    path = os.path.join(directory, file)
                    if file.endswith(".py"):
                        archive.write(path, os.path.join("ansible/module_utils", os.path.relpath(path, module_utils)))
        seal(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def seal(descriptor: int) -> None:
    """Makes a memfd one that no process changes, also not in a container that has a descriptor of it."""
    fcntl.fcntl(descriptor, _F_ADD_SEALS, _ALL_SEALS)


def host_environment(options: dict[str, str]) -> dict[str, str]:
    """The environment of systemd-nspawn, with these options."""
    # Only PATH comes from the run: no variables of Python and Ansible, no sockets of a service manager.
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":")
    return {"PATH": path, "LC_ALL": "C", **ENVIRONMENT, **options}


def devices(arguments: Sequence[str]) -> Iterator[str]:
    """The device nodes in the binds of these arguments of systemd-nspawn."""
    for argument in arguments:
        flag, _equals, value = argument.partition("=")
        source = value.partition(":")[0]
        if flag in ("--bind", "--bind-ro") and source.startswith("/dev/"):
            below = (os.path.join(directory, name) for directory, _directories, names in os.walk(source) for name in names)
            for path in (source, *below):
                with suppress(OSError):
                    if stat.S_IFMT(os.stat(path).st_mode) in (stat.S_IFBLK, stat.S_IFCHR):
                        yield path


def wait_ready(running: Container, tree: str, arguments: Sequence[str]) -> None:
    """Waits until the agent listens. Raises Busy, NoAgent or RunnerError if the container ends or takes longer than _START."""
    deadline = time.monotonic() + _START
    started = ended = False
    # Programs of the tree could print without end, so the deadline holds also while there is output.
    while (left := deadline - time.monotonic()) > 0 and select.select([running.output], [], [], left)[0]:
        lines = running.lines()
        if lines is None:
            ended = True
            break
        started = started or "started" in lines
        if "ready" in lines:
            running.tail.clear()
            return
    lines = [line for line in running.tail if line not in ("", "started")]
    if any(BUSY_MESSAGE in line for line in lines):
        raise Busy(f"the tree {tree} is in use by a container of systemd-nspawn, such as a job", "wait until it ends")
    if started and ended:
        raise NoAgent("; ".join(lines) or f"{_PYTHON} is missing")
    if ended:
        check_user_namespace(arguments, tree)
        raise RunnerError(f"no container starts on {tree}{'' if lines else ', and systemd-nspawn prints no reason'}", output=lines)
    missing = "agent in the container" if started else "container"
    raise RunnerError(f"no {missing} was ready on {tree} after {_START} s", output=lines)

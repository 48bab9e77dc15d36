# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: nspawn
short_description: Runs tasks in an image's tree, in one container that many tasks share
author:
  - The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._nspawn
  - ansible.builtin.connection_pipelining
"""

EXAMPLES = r"""
# A tree of any static inventory; nspawn.runner.chroots does the same for each image.
all:
  hosts:
    sid:
      ansible_connection: nspawn.runner.nspawn
      ansible_host: /var/lib/nspawn-runner/sid
      ansible_pipelining: true
"""

import io
import os
import re
import time
from contextlib import suppress
from typing import Any, BinaryIO

from ansible import module_utils
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.release import __version__

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import WRAPPER
from ansible_collections.nspawn.runner.plugins.module_utils._session import client, exchange

# Ansible's command for a module that Python reads from standard input. Before ansible-core 2.21 the command ends with `sleep 0`.
_MODULE = re.compile(r"/bin/sh -c (')?(?P<python>/[A-Za-z0-9._/-]+)(?(1) && sleep 0')")
# A command in a container of its own begins with this shell. After the line "started" the exit status is the command's, even if it is that of a
# busy tree. Without the line no command has run, and the exit status is the wrapper's or systemd-nspawn's.
_STARTED = b"started\n"
_START = ["/bin/sh", "-c", 'echo started; exec "$@"', "sh"]
# Seconds between two tries on a tree in use.
_PAUSE = 0.5
# Exit status of a shell for a program that is missing.
_NOT_FOUND = 127
# Bytes of an output stream that are kept: the beginning and the end. Ansible has several copies in memory.
_LIMIT = 64 << 20
# A directory of Ansible's for a module that is copied to the tree.
_MODULE_DIRECTORY = "/ansible-tmp-"


class Connection(ConnectionBase):
    """Runs tasks in a tree, in the container of the tree's session. In a tree without Python, each task runs in a container of its own."""

    transport = "nspawn.runner.nspawn"
    has_pipelining = True
    # Become plugins that want a terminal are refused.
    has_tty = False
    default_user = "root"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Resolved path of the tree; empty until connected.
        self._tree = ""
        # Claim on the session, held while the task runs.
        self._claim: client.Claim | None = None
        # Connection to the agent, opened ahead of the first command.
        self._early: exchange.Connection | None = None

    def _connect(self) -> "Connection":
        if not self._tree:
            self._tree = self._find_tree()
            # The agent forks for this connection while the session answers the claim.
            self._early = self._reach()
            self._session()
            self._connected = True
        return self

    def _find_tree(self) -> str:
        if os.geteuid() != 0:
            raise AnsibleError(str(RunnerError("starting containers requires root", "run Ansible as root, for example under sudo")))
        tree = self.get_option("remote_addr")
        if not tree or not os.path.isabs(tree):
            raise AnsibleError(f"ansible_host must be the absolute path of a tree, and is {tree!r}")
        try:
            return client.canonical(tree)
        except RunnerError as problem:
            raise AnsibleConnectionFailure(str(problem)) from problem

    def _session(self) -> client.Claim:
        if self._claim is None:
            self._claim = self._claim_session()
        return self._claim

    def _reach(self) -> "exchange.Connection | None":
        return exchange.reach(os.path.join(client.directory(self._tree), "agent"))

    def _claim_session(self) -> client.Claim:
        code = os.path.dirname(module_utils.__file__)
        times = self.get_option("idle_time"), self.get_option("busy_timeout")
        try:
            claim = client.claim(self._tree, code, f"{__version__} {code}", *times)
        except RunnerError as problem:
            raise AnsibleConnectionFailure(str(problem)) from problem
        self._show(f"NO NSPAWN SESSION, BUT A CONTAINER FOR EACH COMMAND: {claim.no_agent}" if claim.no_agent else "ESTABLISHED NSPAWN SESSION")
        return claim

    def _show(self, text: str) -> None:
        self._display.vvv(text, host=self.get_option("remote_addr"))

    def exec_command(self, cmd: str, in_data: "bytes | None" = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self._show(f"EXEC {cmd}")
        request: dict[str, Any] = {"command": [self.get_option("executable"), "-c", cmd]}
        module = _MODULE.fullmatch(cmd) if in_data else None
        if module:
            request["python"] = module["python"]
        # Ansible parses the whole standard output of a module.
        status, stdout, stderr = self._run(request, io.BytesIO(in_data or b""), whole=bool(in_data) or _MODULE_DIRECTORY in cmd)
        if status == _NOT_FOUND and self.become:
            self._check_become(stderr)
        return status, stdout, stderr

    def _check_become(self, stderr: bytes) -> None:
        """Raises AnsibleError where the image lacks the program by which a task takes another user."""
        program = self.become.name.rpartition(".")[2]
        if re.search(rf"\b{re.escape(program)}: (?:command )?not found".encode(), stderr):
            remedy = "set become_method: su, which each image has, or install the program in the image"
            raise AnsibleError(str(RunnerError(f"{self._tree} has no program {program}, by which the task takes another user", remedy)))

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        out_path = os.path.join("/", out_path)
        self._show(f"PUT {in_path} TO {out_path}")
        request = {"put": out_path, "command": ["/bin/sh", "-c", 'cat >"$0"', out_path]}
        try:
            with open(in_path, "rb") as file:
                status, _output, stderr = self._run(request, file)
        except FileNotFoundError as problem:
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}") from problem
        _check(status, stderr, f"{in_path} cannot be copied to {out_path} in {self._tree}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        in_path = os.path.join("/", in_path)
        self._show(f"FETCH {in_path} TO {out_path}")
        request = {"fetch": in_path, "command": ["/bin/sh", "-c", 'cat <"$0"', in_path]}
        try:
            with open(out_path, "wb") as file:
                status, _output, stderr = self._run(request, io.BytesIO(), file.write)
            _check(status, stderr, f"{in_path} in {self._tree} cannot be fetched to {out_path}")
        except BaseException as problem:
            with suppress(OSError):
                os.unlink(out_path)
            if isinstance(problem, OSError):
                raise AnsibleError(f"{out_path} cannot be written: {problem.strerror}") from problem
            raise

    def _run(self, request: dict[str, Any], source: BinaryIO, sink: "exchange.Sink | None" = None, whole: bool = False) -> tuple[int, bytes, bytes]:
        """Runs a request. Returns the exit status, standard output, which is empty when a sink takes the output, and standard error.

        `whole`: a part of standard output is of no use.
        """
        try:
            for attempt in range(3):
                claim = self._session()
                if claim.no_agent:
                    return self._run_alone(claim, request, source, sink, whole)
                early, self._early = self._early, None
                with suppress(exchange.NotBegun), exchange.in_session(early or self._reach(), request) as running:
                    return exchange.exchange(running, claim.run, source, sink, _LIMIT, whole=whole)
                # The agent has not begun this command. The first time, the early connection may have reached the agent of an earlier session.
                if attempt:
                    self._end_session()
            failure = RunnerError(f"the agent in the container on {self._tree} accepts no commands", "check that /usr/bin/python3 works in this tree")
        except exchange.TooMuch:
            found = f"a module in {self._tree} printed more than {_LIMIT >> 20} MiB, of which Ansible needs all"
            problem = RunnerError(found, "let the task write its output to a file, and fetch the file")
            raise AnsibleError(str(problem)) from None
        except exchange.RunEnded:
            failure = RunnerError("this task's run of Ansible has ended")
        except exchange.Died:
            self._early = self._reach()
            failure = RunnerError(f"{client.what_died(claim, self._tree, self._early is not None)}; the next task starts a new session")
        raise AnsibleConnectionFailure(str(failure))

    def _run_alone(self, claim: client.Claim, request: dict[str, Any], source: BinaryIO, sink: "exchange.Sink | None", whole: bool) -> tuple[int, bytes, bytes]:
        # Imported here, since most tasks run in a session and need none of this.
        from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import BUSY_MESSAGE
        from ansible_collections.nspawn.runner.plugins.module_utils._spec.exit_statuses import BUSY, FAILED

        # Ansible sets ANSIBLE_ASYNC_DIR for async tasks.
        if "ANSIBLE_ASYNC_DIR=" in request["command"][-1]:
            found = f"async needs a container that outlives the task, and {self._tree} has none, since {claim.no_agent}"
            raise AnsibleError(str(RunnerError(found, "leave out async")))
        deadline = time.monotonic() + self.get_option("busy_timeout")
        while True:
            source.seek(0)
            stdout, keep = exchange.kept(_LIMIT, whole)
            take, has_started = exchange.after_marker(_STARTED, sink or keep)
            try:
                with exchange.in_own_container([WRAPPER, self._tree, *_START, *request["command"]]) as running:
                    status, _stdout, stderr = exchange.exchange(running, claim.run, source, take, _LIMIT, patience=exchange.TIMEOUT)
            except exchange.NotBegun:
                raise AnsibleConnectionFailure(f"no container was ready on {self._tree} after {exchange.TIMEOUT} s") from None
            if has_started():
                return status, stdout(), stderr
            message = stderr.decode(errors="replace").strip()
            busy = status == BUSY or (status == 1 and BUSY_MESSAGE in message)
            if busy and time.monotonic() < deadline:
                time.sleep(_PAUSE)
            elif busy or status == FAILED:
                raise AnsibleConnectionFailure(message or f"no container starts on {self._tree}: exit status {status}")
            else:
                return status, stdout(), stderr

    def _end_session(self) -> None:
        self.close()
        client.end(self._tree)

    def reset(self) -> None:
        self._tree = self._find_tree()
        self._show("END OF NSPAWN SESSION")
        self._end_session()
        self._tree = ""

    def close(self) -> None:
        super().close()
        if self._claim:
            self._claim.close()
        if self._early:
            self._early.close()
        self._claim = self._early = None
        self._connected = False


def _check(status: int, stderr: bytes, failure: str) -> None:
    if status != 0:
        raise AnsibleError(f"{failure}: {stderr.decode(errors='replace').strip() or f'exit status {status}'}")

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: nspawn
author:
  - The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._nspawn
  - ansible.builtin.connection_pipelining
"""

import io
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from ansible import module_utils
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.release import __version__

from ansible_collections.nspawn.runner.plugins.module_utils import _session_client
from ansible_collections.nspawn.runner.plugins.plugin_utils import _exchange

# How Ansible has a module run that it gives to Python's standard input.
_MODULE = re.compile(r"/bin/sh -c '(/[A-Za-z0-9._/-]+) && sleep 0'")
_WRAPPER = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../playbooks/files/nspawn-chroot"))


class Connection(ConnectionBase):
    """Runs tasks in a tree, in the container of its session; in a tree without Python each in a container of its own."""

    transport = "nspawn.runner.nspawn"
    has_pipelining = True
    # Become plugins that want a terminal are refused.
    has_tty = False
    default_user = "root"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Its path, once it has been found.
        self._tree = ""
        # Kept open as long as the session is needed.
        self._claim: socket.socket | None = None
        # Why the tree has no session.
        self._no_agent: str | None = None

    def _connect(self) -> "Connection":
        if not self._tree:
            self._tree = self._find_tree()
            self._claim_session()
            self._connected = True
        return self

    def _find_tree(self) -> str:
        if os.geteuid() != 0:
            raise AnsibleError("containers are started by root: run Ansible as root, for example under sudo")
        tree = self.get_option("remote_addr")
        if not tree or not os.path.isabs(tree):
            raise AnsibleError(f"ansible_host must be the absolute path of a tree, and is {tree!r}")
        try:
            return _session_client.canonical(tree)
        except _session_client.SessionError as problem:
            raise AnsibleConnectionFailure(str(problem)) from problem

    def _claim_session(self) -> None:
        code = os.path.dirname(module_utils.__file__)
        times = self.get_option("idle_time"), self.get_option("busy_timeout")
        try:
            self._claim = _session_client.claim(self._tree, code, f"{__version__} {code}", *times)
            self._show("ESTABLISHED NSPAWN SESSION")
        except _session_client.NoAgent as problem:
            self._no_agent = str(problem)
            self._show(f"NO NSPAWN SESSION, BUT A CONTAINER FOR EACH COMMAND: {problem}")
        except (_session_client.SessionError, OSError) as problem:
            raise AnsibleConnectionFailure(str(problem)) from problem

    def _show(self, text: str) -> None:
        self._display.vvv(text, host=self._play_context.remote_addr)

    def exec_command(self, cmd: str, in_data: "bytes | None" = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self._show(f"EXEC {cmd}")
        request: dict[str, Any] = {"command": [self.get_option("executable"), "-c", cmd]}
        module = _MODULE.fullmatch(cmd) if in_data else None
        if module:
            request["python"] = module[1]
        output: list[bytes] = []
        status, said = self._run(request, lambda: _blocks_of(in_data or b""), output.append)
        return status, b"".join(output), said

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        out_path = os.path.join("/", out_path)
        self._show(f"PUT {in_path} TO {out_path}")
        try:
            with open(in_path, "rb") as file:
                status, said = self._run(
                    {"put": out_path, "command": ["/bin/sh", "-c", 'cat >"$0"', out_path]},
                    lambda: iter(lambda: file.read(_exchange.BLOCK), b""),
                    lambda block: None,
                )
        except FileNotFoundError as problem:
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}") from problem
        _check(status, said, f"{in_path} cannot be copied to {out_path} in {self._tree}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        in_path = os.path.join("/", in_path)
        self._show(f"FETCH {in_path} TO {out_path}")
        request = {"fetch": in_path, "command": ["/bin/sh", "-c", 'cat <"$0"', in_path]}
        try:
            with open(out_path, "wb") as file:
                status, said = self._run(request, lambda: iter(()), file.write)
            _check(status, said, f"{in_path} in {self._tree} cannot be fetched to {out_path}")
        except BaseException:
            with suppress(OSError):
                os.unlink(out_path)
            raise

    def _run(self, request: dict[str, Any], source: Callable[[], Iterable[bytes]], sink: Callable[[bytes], Any]) -> tuple[int, bytes]:
        """Runs what is requested, by the session or in a container of its own; exit status and standard error."""
        if self._no_agent is not None:
            with _exchange.in_own_container([_WRAPPER, self._tree, *request["command"]]) as running:
                return _exchange.exchange(running, source(), sink)
        agent = os.path.join(_session_client.directory(self._tree), "agent")
        try:
            with _exchange.in_session(agent, request) as running:
                return _exchange.exchange(running, source(), sink)
        except _exchange.NotBegun:
            # Its Python or its container ended since: nothing of this command has happened.
            self._end_session()
            self._claim_session()
        except _exchange.Died as problem:
            reason = f"the container on {self._tree} ended, or the agent in it was killed, while this task ran; the next task starts another one"
            raise AnsibleConnectionFailure(reason) from problem
        return self._run(request, source, sink)

    def _end_session(self) -> None:
        self.close()
        _session_client.end(self._tree)

    def reset(self) -> None:
        self._tree = self._find_tree()
        self._show("END OF NSPAWN SESSION")
        self._end_session()
        self._tree = ""

    def close(self) -> None:
        super().close()
        if self._claim:
            self._claim.close()
        self._claim = None
        self._connected = False


def _blocks_of(data: bytes) -> Iterator[bytes]:
    blocks = io.BytesIO(data)
    return iter(lambda: blocks.read(_exchange.BLOCK), b"")


def _check(status: int, said: bytes, failure: str) -> None:
    if status != 0:
        raise AnsibleError(f"{failure}: {said.decode(errors='replace').strip() or f'exit status {status}'}")

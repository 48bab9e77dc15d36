# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: jobs on images without Python, in which no agent runs: each command has a container of its own. Names can change at any time.
#
# The containers of a job have the same root directory, so files stay from stage to stage, and processes do not.

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import FILES
from ansible_collections.nspawn.runner.plugins.module_utils._job import agent

WARNING = "the image has no python3 that works, so each stage has a container of its own: processes in the background end with their stage"


def listen(path: str) -> socket.socket:
    """The socket of the job, in place of an agent's."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    return listener


def serve(listener: socket.socket, container: Callable[[Sequence[str]], Sequence[str]], environment: dict[str, str], dns: str) -> None:
    """Accepts one connection, and handles it in a child. `container`: the argv of a container, for arguments of systemd-nspawn and a command."""
    connection, _address = listener.accept()
    with suppress(OSError):
        if os.fork() == 0:
            try:
                listener.close()
                _handle(connection, container, environment, dns)
            finally:
                os._exit(1)
    connection.close()


def _handle(connection: socket.socket, container: Callable[[Sequence[str]], Sequence[str]], environment: dict[str, str], dns: str) -> NoReturn:
    wake = agent.adopt()
    received = agent.receive(connection)
    if received is None or len(received[1]) != 3:
        os._exit(0)
    request, streams = received
    argv = container(arguments(request, dns))
    child = os.fork()
    if child == 0:
        try:
            connection.close()
            os.setsid()
            for target, stream in enumerate(streams):
                os.dup2(stream, target)
            # Only a module has run_command. pylint: disable-next=ansible-bad-function
            os.execvpe(argv[0], list(argv), environment)
        finally:
            os._exit(agent.CANNOT_RUN)
    for stream in streams:
        os.close(stream)
    connection.sendall(b"\n")
    agent.watch(connection, wake, child, None, None)


def arguments(request: dict[str, Any], dns: str) -> list[str]:
    """systemd-nspawn's arguments and the command for one request."""
    with open(os.path.join(FILES, "nspawn-inside.sh"), encoding="utf-8") as file:
        inside = file.read()
    user = [] if request["user"] == "root" else [f"--uid={request['user']}"]
    variables = [f"--setenv={name}={value}" for name, value in {**request["environment"], "container": "systemd-nspawn"}.items()]
    # The directory is the job's own, or the user's home.
    start = ("/bin/sh", "-c", 'cd "$0" 2>/dev/null || cd; exec "$@"', (request.get("directory") or ["."])[-1])
    return [*user, *variables, "--", "/bin/sh", "-c", inside, "nspawn-runner", dns, *start, *request["command"]]

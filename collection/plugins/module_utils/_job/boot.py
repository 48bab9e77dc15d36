# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: jobs on a booted image: systemd of the image is the first process, and the agent a service. Names can change at any time.
#
# The agent's unit is in a directory that systemd reads and no image has. It is bound read-only, and the argument systemd.wants= starts the unit,
# so no file of the tree is changed.

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host import mount
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._job import agent as program
from ansible_collections.nspawn.runner.plugins.module_utils._job import state
from ansible_collections.nspawn.runner.plugins.module_utils._session.container import Container
from ansible_collections.nspawn.runner.plugins.module_utils._session.container import start as start_container
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath
from ansible_collections.nspawn.runner.plugins.module_utils._tree.usable import INIT, essentials

# The container's streams are the pipe of standard error.
DESCRIPTORS = "exec 0<&2 1>&2; "
# Seconds for the boot, and between two looks for the agent's socket.
_PATIENCE, _PAUSE = 120, 0.01
_UNIT = "nspawn-runner-job.service"
_UNITS = "/run/systemd/system.control"
_SHARED = "/run/nspawn-runner-job"
_TEXT = f"""[Unit]
Description=Agent of nspawn-runner, which runs the stages of the job

[Service]
ExecStart=/usr/bin/python3 -I -S {_UNITS}/agent.py {_UNITS}/start.json
StandardInput=null
StandardOutput=null
StandardError=journal
KillMode=process
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
OOMPolicy=continue
"""


def start(
    name: str,
    root: str,
    settings: dict[str, Any],
    container: Callable[[Sequence[str]], list[str]],
    environment: dict[str, str],
    base: int | None,
) -> Container:
    """Boots the container, and waits for the agent. `settings`: the agent's. `container`: the argv of the container, for further arguments.

    `base`: the first user id of the container; None without a user namespace. Raises RunnerError.
    """
    if INIT not in essentials(root):
        raise RunnerError("the image has no init, such as systemd, and its jobs boot", "add the package systemd, or set nspawn_runner_job_boot: false")
    if not beneath.has_python(root):
        raise RunnerError("the image has no python3, which a job on a booted image needs", "add the package python3, or set nspawn_runner_job_boot: false")
    directory = state.job_path(name)
    units, shared = os.path.join(directory, "units"), os.path.join(directory, "shared")
    os.mkdir(units, 0o755)
    os.mkdir(shared, 0o755)
    # A file system of its own: the container can write there, and would fill the host's memory.
    mount.mount("tmpfs", shared, mount.NODEV | mount.NOSUID, f"mode=755,size=64k,nr_inodes=16,uid={base or 0},gid={base or 0}")
    with open(program.__file__, encoding="utf-8") as source:
        texts = {_UNIT: _TEXT, "agent.py": source.read(), "start.json": json.dumps({**settings, "socket": f"{_SHARED}/agent"})}
    for file, text in texts.items():
        with open(os.path.join(units, file), "w", encoding="utf-8") as target:
            target.write(text)
    arguments = [
        f"--bind-ro={units}:{_UNITS}",
        f"--bind={shared}:{_SHARED}",
        "--boot",
        "--",
        f"systemd.wants={_UNIT}",
        # An image without a machine id is no new host, on which services would be enabled.
        "systemd.condition-first-boot=no",
    ]
    running = start_container(container(arguments), subprocess.DEVNULL, subprocess.DEVNULL, os.path.join(shared, "agent"), environment)
    _wait(running)
    return running


def _wait(running: Container) -> None:
    """Waits until the agent listens in the directory that it shares with the host."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if os.path.lexists(running.agent):
            return
        if select.select([running.output], [], [], _PAUSE)[0] and running.lines() is None:
            break
    lines = [line for line in running.tail if line]
    running.process.kill()
    raise RunnerError(f"the image does not boot to the agent's start within {_PATIENCE} s", "see whether its init runs in a container", lines)

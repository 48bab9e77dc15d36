# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the verbs that people type: exec, shell, enter. Names can change at any time.

from __future__ import annotations

import os
from typing import Any, cast

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._job import images, launch, relay, state, supervisor
from ansible_collections.nspawn.runner.plugins.module_utils._session.exchange import Died, NotBegun
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import JobSettings

# The first that the image has.
SHELL = ("/bin/sh", "-c", "for shell in bash sh; do command -v $shell >/dev/null && exec $shell -l; done")


def execute(arguments: Any) -> int:
    """exec: one command in a throw-away container."""
    command = arguments.cmd[1:] if arguments.cmd[:1] == ["--"] else arguments.cmd
    if not command:
        raise RunnerError("exec has no command", f"write it behind the image, such as: nspawn-runner exec {arguments.image} -- uname -a")
    return _throw_away(arguments.root, arguments.image, command, arguments.storage, os.getcwd() if arguments.here else None, arguments.boot)


def shell(arguments: Any) -> int:
    """shell: a shell in a throw-away container."""
    return _throw_away(arguments.root, arguments.image, SHELL, None, None)


def _throw_away(root: str, name: str, command: Any, storage: str | None, here: str | None, boot: bool = False) -> int:
    image = images.load(root, name)
    job = cast(JobSettings, {**image.settings.job, **({"storage": storage} if storage else {}), **({"boot": True} if boot else {})})
    binds, directories = [], [here] if here else []
    if here:
        status = os.stat(here)
        binds.append(supervisor.Bind(here, here, setuid=False, owner=(status.st_uid, status.st_gid)))
    plan = supervisor.Plan(
        name=state.new_name(),
        key="exec",
        place=image.place,
        generation=image.generation,
        job=job,
        seccomp=image.settings.seccomp,
        binds=binds,
        runner=launch.own_process(),
        label="exec",
    )
    content = supervisor.start(plan)
    started = state.Job(content["name"], content)
    try:
        variables = relay.environment(job["environment"])
        wanted = relay.Command(command, job["user"], variables, directories)
        return _run(started, wanted)
    finally:
        launch.end(started)


def _run(job: state.Job, command: relay.Command) -> int:
    try:
        return relay.run(job.agent, command, terminal=job.state["has_python"] and relay.has_terminal()).status
    except (NotBegun, Died) as problem:
        raise RunnerError(f"the container of job {job.name} has ended: {_reason(job.name)}") from problem


def _reason(name: str) -> str:
    job = state.load(name)
    return (job and job.state.get("reason")) or "its first process was killed"


def enter(arguments: Any) -> int:
    """enter: a shell in a running job, or in one that was kept."""
    job = find(arguments.job)
    command = relay.Command(SHELL, "root", relay.environment(job.state["job"]["environment"]), ["/builds"])
    return _run(job, command)


def find(word: str) -> state.Job:
    """The running job with this name or label, or with a name that begins so. Raises RunnerError."""
    running = [job for job in state.jobs() if job.state["status"] == state.READY]
    found = [job for job in running if word in (job.name, job.state["label"])] or [job for job in running if word and job.name.startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RunnerError(f"'{word}' is the name of {len(found)} jobs", f"choose one of {', '.join(job.name for job in found)}")
    remedy = f"choose one of {', '.join(job.name for job in running)}" if running else "see nspawn-runner jobs"
    raise RunnerError(f"there is no running job '{word}'", remedy)

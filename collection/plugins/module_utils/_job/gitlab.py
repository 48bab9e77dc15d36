# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the four calls of GitLab's custom executor, which work without GitLab too. Names can change at any time.
#
# A job can set each CUSTOM_ENV_* variable, CUSTOM_ENV_CI_JOB_ID too. The identity of a job comes from the file JOB_RESPONSE_FILE, and from the
# variable NSPAWN_RUNNER_JOB, which the config call gives to the later calls.

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import find_program, stat_fields
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._job import images, state

BUILDS, CACHE = "/builds", "/cache"
_NAME_VARIABLE = "NSPAWN_RUNNER_JOB"
_RESPONSE_VARIABLE = "JOB_RESPONSE_FILE"
_BUILD_VARIABLE, _SYSTEM_VARIABLE, _CODE_FILE_VARIABLE = "BUILD_FAILURE_EXIT_CODE", "SYSTEM_FAILURE_EXIT_CODE", "BUILD_EXIT_CODE_FILE"
# Bytes of the file with GitLab's answer, which has all variables and scripts of the job.
_RESPONSE = 64 << 20
# Seconds that a job lives on beyond its time in GitLab: for after_script, uploads and cleanup.
_MARGIN = 900
# Seconds for the supervisor to note the reason of an end.
_PATIENCE = 5.0
# Seconds in which the agent of a container that is killed ends after a script, and between two looks.
_AFTER_KILL, _PAUSE = 0.5, 0.05
_RUNNER = "gitlab-runner"
# A variable in the name of an image, the depth of variables in variables, and the characters of a name.
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_LEVELS, _LONGEST = 10, 4096


class Identity(NamedTuple):
    # The same for all calls and attempts of one job.
    key: str
    label: str
    # The image that the job names; empty if it names none.
    image: str = ""
    # Seconds; None for no limit.
    timeout: float | None = None
    project: int | None = None
    # Whether the job uploads or downloads caches or artifacts.
    transfers: bool = False
    # The file with GitLab's description of the job; empty without GitLab.
    response: str = ""


class JobFailure(RunnerError):
    """The job itself is the reason."""

    def __init__(self, found: str, remedy: str = "", status: int = 1) -> None:
        super().__init__(found, remedy)
        self.status = status


def failure_status(problem: RunnerError, status: int) -> int:
    """The exit status of a call that has failed. `status`: for a call without GitLab."""
    if isinstance(problem, JobFailure):
        return _build_failure(problem.status)
    variable = _BUILD_VARIABLE if isinstance(problem, images.WrongImage) else _SYSTEM_VARIABLE
    return _code(variable) or status


def _code(variable: str) -> int | None:
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() else None


def _build_failure(status: int) -> int:
    """Tells GitLab the exit status of a script that has failed, and returns the status of this call."""
    path, code = os.environ.get(_CODE_FILE_VARIABLE), _code(_BUILD_VARIABLE)
    if path:
        # The file can have the status of an earlier stage. Without the right one, GitLab still knows of the failure.
        with suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(f"{status}\n")
    return status if code is None else code


def identify(given: str | None, environment: Mapping[str, str]) -> Identity:
    """The job of this call. `given`: the option --id. Raises RunnerError."""
    if given:
        return Identity(f"id {given}", visible(given[:64]))
    path = environment.get(_RESPONSE_VARIABLE)
    if path:
        return _from_response(_read_response(path), environment)._replace(response=os.path.abspath(path))
    if _BUILD_VARIABLE in environment:
        raise RunnerError(
            f"GitLab Runner gives no {_RESPONSE_VARIABLE}, without which a job can take the name of another one", "install GitLab Runner 14.1 or later"
        )
    number = environment.get("CUSTOM_ENV_CI_JOB_ID")
    if not number:
        raise RunnerError("the call has no job", "give the option --id")
    return Identity(f"id {number}", visible(number[:64]), environment.get("CUSTOM_ENV_CI_JOB_IMAGE", ""))


def _read_response(path: str) -> dict[str, Any]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
                raise RunnerError(f"{path} of {_RESPONSE_VARIABLE} is not a file that only root can write", "run GitLab Runner as root")
            text = file.read(_RESPONSE + 1)
    except OSError as problem:
        raise system_error(problem, f"{path} of {_RESPONSE_VARIABLE} cannot be read") from problem
    if len(text) > _RESPONSE:
        raise RunnerError(f"{path} of {_RESPONSE_VARIABLE} is larger than {_RESPONSE >> 20} MiB")
    try:
        content = json.loads(text)
        if not isinstance(content, dict) or not isinstance(content.get("id"), int):
            raise ValueError
        return content
    except (ValueError, RecursionError):
        raise RunnerError(f"{path} of {_RESPONSE_VARIABLE} is not GitLab's description of a job") from None


def _from_response(content: Mapping[str, Any], environment: Mapping[str, str]) -> Identity:
    token = hashlib.sha256(str(content.get("token", "")).encode()).hexdigest()[:16]
    image = _part(content, "image").get("name")
    image = image if isinstance(image, str) else ""
    if "$" in image:
        image = expand(image, content.get("variables")) or environment.get("CUSTOM_ENV_CI_JOB_IMAGE", "")
    timeout = _whole(_part(content, "runner_info").get("timeout"))
    return Identity(
        key=f"gitlab {content['id']} {token}",
        label=str(content["id"]),
        image=image,
        timeout=timeout or None,
        project=_whole(_part(content, "job_info").get("project_id")),
        transfers=any(content.get(name) for name in ("cache", "artifacts", "dependencies")),
    )


def expand(text: str, variables: Any) -> str:
    """The text with the job's variables in place of $NAME and ${NAME}; empty if one of them is unknown or refers to itself."""
    known = {}
    for entry in variables if isinstance(variables, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("key"), str):
            known[entry["key"]] = str(entry.get("value", ""))
    for _level in range(_LEVELS):
        names = re.findall(_REFERENCE, text)
        if not names:
            return text
        if any((one or other) not in known for one, other in names) or len(text) > _LONGEST:
            break
        text = re.sub(_REFERENCE, lambda match: known[match[1] or match[2]], text)
    return ""


def _part(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = content.get(name)
    return part if isinstance(part, dict) else {}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _image(arguments: Any, identity: Identity) -> images.Image:
    wanted = getattr(arguments, "image", None) or identity.image or arguments.default_image
    if not wanted:
        raise images.WrongImage("the job names no image, and the runner has no default image", "write image: in the job, or --default-image in config.toml")
    return images.choose(arguments.root, wanted, arguments.allow or ())


def config(arguments: Any) -> int:
    """gitlab-config: the settings of a job for GitLab Runner."""
    identity = identify(None, os.environ)
    answer: dict[str, Any] = {
        "builds_dir": BUILDS,
        "cache_dir": CACHE,
        "builds_dir_is_shared": False,
        "hostname": os.uname().nodename,
        "job_env": {_NAME_VARIABLE: state.new_name()},
    }
    # Upstream's section has the default image in the prepare call alone, which refuses a job without any image.
    if identity.image or arguments.default_image:
        image = _image(arguments, identity)
        version = f"image {image.place.image}{f', generation {image.generation}' if image.generation else ''}"
        answer.update(driver={"name": "nspawn-runner", "version": version}, shell="bash" if images.has_program(image.place.path, "bash") else "sh")
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


def prepare(arguments: Any) -> int:
    """prepare: the container of a job."""
    from ansible_collections.nspawn.runner.plugins.module_utils._job import launch, supervisor, sweep

    identity = identify(arguments.id, os.environ)
    image = _image(arguments, identity)
    sweep.sweep(arguments.root)
    name = os.environ.get(_NAME_VARIABLE, "")
    name = name if state.is_name(name) and not arguments.id else state.new_name()
    # An earlier attempt of the same job.
    for job in _jobs(identity.key, name):
        launch.end(job)
    tree, warnings = image.place.path, []
    binds = []
    if image.settings.job["cache"] != "0" and not arguments.id:
        from ansible_collections.nspawn.runner.plugins.module_utils._job import cache

        binds.append(supervisor.Bind(cache.make(arguments.root, identity.project), CACHE, setuid=False))
    if not images.has_program(tree, _RUNNER):
        program = find_program(_RUNNER)
        if program:
            binds.append(supervisor.Bind(os.path.realpath(program), f"/usr/local/bin/{_RUNNER}", read_only=True))
        elif identity.transfers:
            warnings.append(f"neither the image nor the host has the program {_RUNNER}, so caches and artifacts of this job are skipped")
    if not arguments.id and not images.has_program(tree, "git"):
        warnings.append("the image has no git, so GitLab can get no sources: add the package git, or set GIT_STRATEGY: none")
    plan = supervisor.Plan(
        name=name,
        key=identity.key,
        place=image.place,
        generation=image.generation,
        job=image.settings.job,
        seccomp=image.settings.seccomp,
        binds=binds,
        directories=[BUILDS, CACHE],
        limit=None if identity.timeout is None else identity.timeout + _MARGIN,
        runner=None if arguments.id else _runner(),
        label=identity.label,
        response=identity.response,
    )
    content = supervisor.start(plan)
    for line in head(image, content, [*content["warnings"], *warnings], time.time()):
        sys.stdout.write(f"{line}\n")
    return 0


def _runner() -> tuple[int, str] | None:
    """The process of GitLab Runner: the parent of the leader of this process group, which the runner makes for each call."""
    with suppress(OSError, IndexError):
        pid = int(stat_fields(os.getpgrp())[1])
        if pid > 1:
            return pid, state.start_time(pid)
    return None


def head(image: images.Image, content: Mapping[str, Any], warnings: Sequence[str], now: float) -> list[str]:
    """The first lines of a job's log. `content`: the job's state."""
    from ansible_collections.nspawn.runner.plugins.module_utils._job.launch import limits

    job = content["job"]
    age = record.age(image.created)
    generation = f", generation {image.generation}" if image.generation else ""
    summary = f"Image {image.place.image}{generation}{f', {age} old' if age else ''}. The container is ready after {content['seconds']:.1f} s."
    section = f"\x1b[0Ksection_%s:{int(now)}:nspawn_runner_container%s\r\x1b[0K%s"
    return [
        summary,
        section % ("start", "[collapsed=true]", "The container's storage, limits and network"),
        f"job: {content['name']}",
        f"storage: {job['storage']}",
        f"limits: {', '.join(limits(job, content['limited']))}",
        f"network: {job['network']}",
        f"user: {job['user']}{'' if job['user_namespace'] else ', without a user namespace'}",
        section % ("end", "", ""),
        *(f"WARNING: {warning}" for warning in warnings),
    ]


def _jobs(key: str, name: str) -> list[state.Job]:
    """The jobs of this call: by the key, and by the name that the config call chose if its state has no other key."""
    found = state.find(key)
    named = state.load(name) if state.is_name(name) else None
    if named and named.name not in [job.name for job in found] and named.state.get("key", key) == key:
        found.append(named)
    return found


def run(arguments: Any) -> int:
    """run: one stage of a job."""
    from ansible_collections.nspawn.runner.plugins.module_utils._job import relay, report
    from ansible_collections.nspawn.runner.plugins.module_utils._session.exchange import Died, NotBegun

    identity = identify(arguments.id, os.environ)
    job = _running(identity)
    stage = arguments.stage or "script"
    state.set_stage(job.name, stage)
    settings = job.state["job"]
    shell = arguments.shell or job.state["shell"]
    killed = report.oom_kills(job)
    command = relay.Command([shell], settings["user"], relay.environment(settings["environment"]), [BUILDS])
    with _script(arguments.script) as script:
        try:
            result = relay.run(job.agent, command, script)
        except (NotBegun, Died) as problem:
            raise _lost(job, isinstance(problem, NotBegun)) from problem
    if result.status == 0 and not result.stopped:
        return 0
    if not result.stopped:
        _check_alive(job, result.status)
        for sentence in report.reasons(job, killed):
            sys.stderr.write(f"nspawn-runner: {sentence}\n")
        sys.stderr.flush()
    if stage in ("build_script", "script") or stage.startswith("step_"):
        state.mark_failed(job.name)
    return _build_failure(result.status or 128 + signal.SIGTERM)


def _running(identity: Identity) -> state.Job:
    """The container of this job. Raises RunnerError."""
    name = os.environ.get(_NAME_VARIABLE, "")
    found = _jobs(identity.key, name)
    running = [job for job in found if job.state.get("status") == state.READY]
    # The name of this attempt, before other attempts.
    running.sort(key=lambda job: job.name != name)
    if running:
        return running[0]
    for job in found:
        if job.state.get("reason"):
            raise RunnerError(job.state["reason"])
    raise RunnerError(f"job {identity.label} has no container", "call prepare first")


class _script:
    """A descriptor of sealed memory with a script, which can be as large as memory allows."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> int:
        from ansible_collections.nspawn.runner.plugins.module_utils._session.container import seal

        self.descriptor = os.memfd_create("script", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(self.path, "rb") as source, open(self.descriptor, "wb", closefd=False) as target:
                while block := source.read(1 << 20):
                    target.write(block)
        except OSError as problem:
            raise system_error(problem, f"the script {self.path} cannot be read") from problem
        seal(self.descriptor)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return self.descriptor

    def __exit__(self, *_exception: object) -> None:
        os.close(self.descriptor)


def _check_alive(job: state.Job, status: int) -> None:
    """Raises RunnerError if the container has ended: then the status of a stage is no result of its script.

    The end of a container kills the script first, and the agent some moments later.
    """
    from ansible_collections.nspawn.runner.plugins.module_utils._job import relay

    deadline = time.monotonic() + (_AFTER_KILL if status == 128 + signal.SIGKILL else 0)
    while True:
        now = state.load(job.name)
        if now is None or now.state.get("status") != state.READY or not relay.answers(job.agent):
            raise _lost(job, True)
        if time.monotonic() >= deadline:
            return
        time.sleep(_PAUSE)


def _lost(job: state.Job, not_begun: bool) -> RunnerError:
    """The error of a stage without an end: the container is gone, or the job has killed the process beside its command."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        now = state.load(job.name)
        if now is None or not now.state:
            return RunnerError(f"the container of job {job.state['label']} was ended during the stage, by cleanup or by its runner's end")
        if now.state["status"] == state.ENDED:
            return RunnerError(now.state["reason"])
        if state.process(job.state["pid"], job.state["start"]) is None:
            return RunnerError("the process that keeps the container was killed, and the container with it")
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    if not_begun:
        found = "no further stage starts in the container: the job has used up its processes, or has ended a process of nspawn-runner"
        return JobFailure(found, "end processes in the background in the script", 126)
    return JobFailure("the job has killed a process of nspawn-runner in its container", "", 128 + signal.SIGKILL)


def cleanup(arguments: Any) -> int:
    """cleanup: the end of a job and of all that it has left."""
    from ansible_collections.nspawn.runner.plugins.module_utils._job import cache, launch, report

    name = os.environ.get(_NAME_VARIABLE, "")
    try:
        identity = identify(arguments.id, os.environ)
        found = _jobs(identity.key, name)
        if arguments.id and not found:
            found = [job for job in state.jobs() if arguments.id == job.name]
    except RunnerError:
        # The name alone suffices.
        named = state.load(name) if state.is_name(name) else None
        if named is None:
            raise
        found = [named]
    for job in found:
        # The name of the container itself comes from a person.
        if arguments.id != job.name and _keep(job):
            continue
        summary = report.summary(job)
        launch.end(job)
        if summary:
            sys.stdout.write(f"{json.dumps(summary)}\n")
            with suppress(RunnerError, OSError):
                cache.shrink(job.state["root"], job.state["job"]["cache"])
    return 0


def _keep(job: state.Job) -> bool:
    """Has the supervisor keep a failed job for the minutes that its image says; returns whether the job stays."""
    minutes = job.state.get("job", {}).get("keep_failed", 0)
    if not minutes or job.state.get("status") != state.READY or not state.has_failed(job.name):
        return False
    descriptor = state.process(job.state["pid"], job.state["start"])
    if descriptor is None:
        return False
    try:
        if state.kept_until(job.name) is None:
            state.keep_until(job.name, time.time() + 60 * minutes)
            signal.pidfd_send_signal(descriptor, signal.SIGUSR1)
            sys.stdout.write(f"Job {job.state['label']} has failed and is kept for {minutes} min: nspawn-runner enter {job.name}\n")
    finally:
        os.close(descriptor)
    return True

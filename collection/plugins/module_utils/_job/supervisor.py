# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the process that keeps one job's container, from its start to its removal. Names can change at any time.
#
# The supervisor is a fork of the program that starts the job, and outlives that program. It makes the mounts in a mount namespace of its own,
# starts systemd-nspawn in a PID namespace that ends with it, and removes everything at the end of the job: when it gets SIGTERM, at the job's
# deadline, when the job's runner has ended, or when the container has ended. A supervisor that is killed leaves directories and files alone,
# which sweep.py removes: all processes and mounts of the job end with it.

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple, cast

from ansible_collections.nspawn.runner.plugins.module_utils._host import mount, scope
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import container_argv, container_lines, flags
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import adopt_orphans, end_children
from ansible_collections.nspawn.runner.plugins.module_utils._host.user_namespace import user_namespace
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._job import agent, boot, images, network, settings, stages, state, storage, uid_range
from ansible_collections.nspawn.runner.plugins.module_utils._session.client import NoAgent
from ansible_collections.nspawn.runner.plugins.module_utils._session.container import (
    DESCRIPTORS,
    Container,
    devices,
    host_environment,
    launch,
    seal,
    wait_ready,
)
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import JobSettings
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath, mount_points
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

PYTHON = "usr/bin/python3"
# Seconds that systemd waits longer than the supervisor for the end of a job.
_LATE = 60
# For the wish that the kernel kills processes of the job, and not this one, when the job's memory is short.
_OOM_SCORE = "-900"
_PR_SET_NAME = 15
_MNT_DETACH = 2


class Bind(NamedTuple):
    """A directory or file of the host in a container."""

    source: str
    target: str
    read_only: bool = False
    # Whether setuid programs work there.
    setuid: bool = True
    # A user and a group of the host that are the container's root there, and the only owners; None: the owners of the disk, as in the tree.
    owner: tuple[int, int] | None = None


class Served(NamedTuple):
    """The container with the agent, or the job's socket with the function that serves it."""

    container: Container | None
    listener: socket.socket | None
    serve: Callable[[], None] | None


class Plan(NamedTuple):
    """A job to start."""

    name: str
    key: str
    place: Place
    generation: str
    job: JobSettings
    seccomp: bool
    binds: Sequence[Bind] = ()
    # Directories in the container that the job's user can write.
    directories: Sequence[str] = ()
    # Seconds after which the job ends; None for no limit.
    limit: float | None = None
    # A process, by id and start, at the end of which the job ends.
    runner: tuple[int, str] | None = None
    # For people, such as the number of GitLab's job.
    label: str = ""
    # A file that the job's runner removes after the job; empty for none.
    response: str = ""


def start(plan: Plan) -> dict[str, Any]:
    """Starts a job and returns its state. Raises RunnerError, and nothing of the job is left then."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _detach(writer)
            _supervise(plan, writer)
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as file:
        answer = file.read()
    if not answer:
        raise RunnerError(f"the start of a job on image {plan.place.image} was killed", "see the kernel's log")
    content = json.loads(answer)
    if "error" in content:
        raise (Busy if content["busy"] else RunnerError)(**content["error"])
    return content


def _detach(writer: int) -> None:
    """Makes this process independent of its starter: not of its group, session, terminal, streams, directory or open files."""
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(0o022)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(3, writer)
    os.closerange(writer + 1, most)
    ctypes.CDLL(None).prctl(_PR_SET_NAME, b"nspawn-runner", 0, 0, 0)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(_OOM_SCORE)


def _supervise(plan: Plan, writer: int) -> None:
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, _note)
    adopt_orphans()
    try:
        # Held until the end of this process.
        state.make(plan.name)
        content = _new_state(plan)
        try:
            state.save(plan.name, content)
            with ExitStack() as stack:
                _serve(plan, content, stack, wake, writer)
        finally:
            _remove(plan, content)
    except RunnerError as problem:
        _report(writer, {"error": problem.fields(), "busy": isinstance(problem, Busy)})
    except OSError as problem:
        _report(writer, {"error": system_error(problem, f"a job cannot be started on image {plan.place.image}").fields(), "busy": False})


_signals: list[int] = []


def _note(number: int, frame: Any) -> None:
    _signals.append(number)


def _report(writer: int, answer: dict[str, Any]) -> None:
    # The program that started the job can have ended.
    with suppress(OSError):
        os.write(writer, json.dumps(answer).encode())


def _new_state(plan: Plan) -> dict[str, Any]:
    root, image = plan.place
    return {
        "name": plan.name,
        "key": plan.key,
        "label": plan.label,
        "response": plan.response,
        "root": root,
        "image": image,
        "generation": plan.generation,
        "job": plan.job,
        "status": state.STARTING,
        "reason": "",
        "warnings": [],
        "pid": os.getpid(),
        "start": state.start_time(os.getpid()),
        "scope": "",
        "base": None,
        "disk": state.disk_path(root, plan.name),
        "limited": [],
        "has_python": True,
        "shell": "sh",
        "created": time.time(),
        "deadline": None if plan.limit is None else time.time() + plan.limit,
    }


def _serve(plan: Plan, content: dict[str, Any], stack: ExitStack, wake: int, writer: int) -> None:
    """Starts the container, and returns at the end of the job."""
    arguments = _own_arguments(plan.job)
    if plan.job["boot"] and not scope.has_scopes():
        raise RunnerError(
            f"jobs on image {plan.place.image} boot, and systemd is not PID 1 on this host, which gives a container no control groups",
            "set nspawn_runner_job_boot: false",
        )
    nodes = [*devices(arguments), *([network.TUN] if plan.job["network"] == "private" else [])]
    limits = scope_limits(plan.job, plan.limit, settings.memory_of_host())
    content["scope"] = scope.enter_scope(f"Job {plan.name} of nspawn-runner", nodes, limits)
    storage.check_room(plan.place.root)
    mount.leave_host_mounts()
    tree = stack.enter_context(storage.held(plan.place))
    content["generation"] = _generation(plan)
    content["shell"] = "bash" if images.has_program(f"/proc/self/fd/{tree}/.", "bash") else "sh"
    if plan.job["user_namespace"]:
        content["base"], lock = uid_range.take_range()
        stack.callback(os.close, lock)
    # Range and tree stay in use until the last process has ended.
    stack.callback(end_children)
    state.save(plan.name, content)
    directory = state.job_path(plan.name)
    root = storage.build(directory, content["disk"], tree, plan.place.image, plan.job, content["base"])
    arguments += _binds(plan.binds, os.path.join(directory, "binds"), content["base"])
    _hide_nspawn_state()
    lacking = scope.lacking_controllers() if content["scope"] else scope.CONTROLLERS
    if not content["scope"]:
        content["warnings"].append(UNLIMITED)
    elif lacking:
        content["warnings"].append(f"the host has no control groups of version 2 for {', '.join(lacking)}, so these have no limit in a job")
    content["limited"] = [name for name in scope.CONTROLLERS if name not in lacking]
    if "pids" in lacking and content["base"] is not None:
        # Counted for each user of a range of ids that no other container has.
        arguments.append(f"--rlimit=RLIMIT_NPROC={plan.job['pids']}")
    if plan.job["network"] == "private":
        users, lock = uid_range.take_range()
        stack.callback(uid_range.forget_range, users)
        stack.callback(os.close, lock)
        stack.callback(end_children)
        with user_namespace(users) as namespace:
            network.enter_private(directory, namespace)
    _make_targets(root, [*((path.lstrip("/"), True) for path in plan.directories), *mount_points.targets(arguments)], content["base"])
    environment = {} if plan.seccomp else {"SYSTEMD_SECCOMP": "0"}
    served = _agent(plan, content, root, arguments, environment)
    if not content["has_python"]:
        content["warnings"].append(stages.WARNING)
    content.update(status=state.READY, seconds=time.time() - content["created"])
    state.save(plan.name, content)
    os.write(writer, json.dumps(content).encode())
    os.close(writer)
    reason = _wait(plan, content, served, wake)
    if reason:
        content.update(status=state.ENDED, reason=reason, ended=time.time())


def _generation(plan: Plan) -> str:
    """The id of the published tree, now that it is held: a publish can have come since the plan was made."""
    with suppress(RunnerError):
        return (record.load(plan.place).get("published") or {}).get("id", "")
    return plan.generation


def _agent(plan: Plan, content: dict[str, Any], root: str, arguments: Sequence[str], environment: dict[str, str]) -> Served:
    """Starts the container with the agent, or opens the job's socket if the agent cannot run there."""

    def argv(image: str, rest: Sequence[str], descriptors: str = "") -> list[str]:
        return container_argv(root, [*container_flags(image, content["base"]), *arguments, *rest], descriptors)

    dns = _dns(plan.job)
    if plan.job["boot"]:
        start = {"dns": dns, "directories": [*plan.directories], "user": plan.job["user"]}
        running = boot.start(plan.name, root, start, lambda rest: argv(plan.place.image, rest, boot.DESCRIPTORS), environment, content["base"])
        # The directory is a mount that only processes beside this one see.
        content["agent"] = f"/proc/{os.getpid()}/root{running.agent}"
        return Served(running, None, None)
    if beneath.has_python(root):
        text = json.dumps({"dns": dns, "policy": True, "directories": [*plan.directories], "user": plan.job["user"]})
        payload = python_payload(text)
        with program_memory() as program:
            running = launch(argv(plan.place.image, ["--", *payload], DESCRIPTORS), program, state.agent_path(plan.name), environment)
        try:
            wait_ready(running, plan.place.path, arguments)
            return Served(running, None, None)
        except NoAgent:
            running.process.kill()
            running.process.wait()
            os.unlink(state.agent_path(plan.name))
    content["has_python"] = False
    listener = stages.listen(state.agent_path(plan.name))
    variables = host_environment(environment)
    return Served(None, listener, lambda: stages.serve(listener, lambda rest: argv(plan.place.image, rest), variables, dns))


UNLIMITED = "systemd is not PID 1 on this host, so memory, swap, cpus and cpu_weight of a job have no limit"


def scope_limits(job: JobSettings, seconds: float | None, memory: int) -> list[scope.Property]:
    """The limits of a job as properties of a scope. `memory`: bytes of the host."""
    limits: list[scope.Property] = [
        ("MemoryMax", "t", (settings.size(job["memory"], memory),)),
        ("MemorySwapMax", "t", (settings.size(job["swap"], memory),)),
        ("CPUWeight", "t", (job["cpu_weight"],)),
        ("TasksMax", "t", (job["pids"],)),
    ]
    if job.get("cpus"):
        limits.append(("CPUQuotaPerSecUSec", "t", (int(job["cpus"] * 1000000),)))
    if seconds is not None:
        # The supervisor ends the job at its deadline. This limit is for a supervisor that cannot.
        limits.append(("RuntimeMaxUSec", "t", (int((seconds + _LATE) * 1000000),)))
    if job["network"] != "none":
        addresses: list[int] = []
        for family, address, length in network.METADATA:
            addresses += [family, len(address), *address, length]
        limits.append(("IPAddressDeny", "a(iayu)", (len(network.METADATA), *addresses)))
    return limits


def container_flags(image: str, base: int | None) -> list[str]:
    """systemd-nspawn's arguments for a job on this image. `base`: the first user id of the container; None without a user namespace."""
    users = "--private-users=no" if base is None else f"--private-users={base}:{uid_range.SIZE}"
    usual = [flag for flag in flags(image) if not flag.startswith(("--private-users", "--setenv="))]
    return [*usual, users, "--private-users-ownership=off"]


def _own_arguments(job: JobSettings) -> list[str]:
    """The arguments of the image's own settings for jobs: binds, capabilities, network."""
    names = ("binds", "capabilities", "user_namespace")
    lines = container_lines({f"nspawn_runner_{name}": cast(Any, job)[name] for name in names})
    private = ["--private-network"] if job["network"] == "none" else []
    return [*(line for line in lines if not line.startswith("--private-users")), *private]


def _binds(binds: Sequence[Bind], directory: str, base: int | None) -> Iterator[str]:
    """Mounts the sources with the owners as the container has them, and yields systemd-nspawn's arguments."""
    os.mkdir(directory, 0o700)
    for number, bind in enumerate(binds):
        here = os.path.join(directory, str(number))
        if os.path.isdir(bind.source):
            os.mkdir(here)
        else:
            os.close(os.open(here, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        if base is None:
            mount.attach(bind.source, here, read_only=bind.read_only, setuid=bind.setuid)
        else:
            with user_namespace(base, bind.owner) as namespace:
                mount.attach(bind.source, here, namespace, read_only=bind.read_only, setuid=bind.setuid)
        yield f"{'--bind-ro' if bind.read_only else '--bind'}={here}:{bind.target.replace(':', chr(92) + ':')}"


def _make_targets(root: str, targets: Sequence[tuple[str, bool]], base: int | None) -> None:
    """Makes missing directories and targets of binds, as the container's root."""
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None)
    try:
        for identify in (libc.setfsgid, libc.setfsuid):
            identify(base or 0)
        mount_points.make(f"/proc/self/fd/{directory}/.", targets)
    finally:
        for identify in (libc.setfsuid, libc.setfsgid):
            identify(0)
        os.close(directory)


def _hide_nspawn_state() -> None:
    """Gives systemd-nspawn a place of its own for files that it would leave if it were killed."""
    path = "/run/systemd/nspawn"
    os.makedirs(path, mode=0o755, exist_ok=True)
    mount.mount("tmpfs", path, mount.NODEV | mount.NOSUID, "mode=755")


def _dns(job: JobSettings) -> str:
    """The text of the container's /etc/resolv.conf; empty without a network."""
    text = ""
    if job["network"] != "none":
        with suppress(OSError), open("/etc/resolv.conf", encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(1 << 16)
    return network.resolv_conf(text) if job["network"] == "private" else text


def python_payload(start: str) -> list[str]:
    """The command of a container with the agent. `start`: the agent's argument."""
    return ["/bin/sh", "-c", 'echo started; exec "$@"', "sh", f"/{PYTHON}", "-I", "-S", f"/proc/self/fd/{agent.PROGRAM}", start]


@contextmanager
def program_memory() -> Iterator[int]:
    """A descriptor of the agent's program in sealed memory, which goes into the container: no descriptor of a file of the host does."""
    descriptor = os.memfd_create("nspawn-runner", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(agent.__file__, "rb") as source:
            os.write(descriptor, source.read())
        seal(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait(plan: Plan, content: dict[str, Any], served: Served, wake: int) -> str:
    """Waits for the end of the job. Returns the reason as a sentence; empty if the job was ended by request."""
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    running, listener = served.container, served.listener
    waited = running.output if running else listener.fileno() if listener else -1
    poll.register(waited, select.POLLIN)
    runner = state.process(*plan.runner) if plan.runner else None
    if runner is not None:
        poll.register(runner, select.POLLIN)
    elif plan.runner:
        return ""
    deadline, kept = content["deadline"], None
    while True:
        until = deadline if kept is None else kept
        left = None if until is None else max(0.0, until - time.time())
        ready = [descriptor for descriptor, _event in poll.poll(None if left is None else min(left, 3600.0) * 1000)]
        if wake in ready:
            with suppress(BlockingIOError):
                os.read(wake, 4096)
        if served.serve:
            agent.status_of(-1)
            if waited in ready:
                served.serve()
        elif running and waited in ready and running.lines() is None:
            poll.unregister(waited)
        if running and running.process.poll() is not None:
            return "" if kept is not None else "the container has ended: its first process was killed"
        if signal.SIGTERM in _signals:
            return ""
        if signal.SIGUSR1 in _signals:
            _signals.clear()
            kept = state.kept_until(plan.name)
            # A failed job is kept for people, also when its runner has ended.
            if runner is not None:
                poll.unregister(runner)
                runner = None
        if runner is not None and runner in ready:
            return ""
        if until is not None and time.time() >= until:
            return "" if kept is not None else f"the job has reached its deadline, {round(plan.limit or 0)} s after its start"


def _remove(plan: Plan, content: dict[str, Any]) -> None:
    """Ends the container and removes everything. The state of a job that has ended by itself stays, for the messages of its next calls."""
    directory = state.job_path(plan.name)
    libc = ctypes.CDLL(None)
    for name in ("root", "layers", "lower", "network", "tun", "shared"):
        libc.umount2(os.fsencode(os.path.join(directory, name)), _MNT_DETACH)
    binds = os.path.join(directory, "binds")
    for name in os.listdir(binds) if os.path.isdir(binds) else ():
        libc.umount2(os.fsencode(os.path.join(binds, name)), _MNT_DETACH)
    remove_rest(content)
    if content["status"] == state.ENDED:
        state.save(plan.name, content)
    else:
        state.remove(plan.name)


def remove_rest(content: dict[str, Any]) -> None:
    """Removes the rest of a job without processes and mounts, except its state. Errors leave the rest for the next sweep."""
    if content.get("base") is not None:
        uid_range.forget_range(content["base"])
    with suppress(RunnerError, OSError):
        if os.path.lexists(content["disk"]):
            remove_tree(content["disk"], wait=False)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the host's records of its jobs. Names and files can change at any time.
#
# A job has a directory, named by a random number, in a directory that only root can enter. The job's supervisor holds the lock of this directory
# for as long as it lives: a directory with a free lock has lost its supervisor, and can be removed with all that its state names.

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import stat_fields
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import JOBS_DIRECTORY, STATE_DIRECTORY

# In the private directory of a root directory: the upper layers on the disk, and the caches. No image has such a name.
DISKS, CACHES = ".jobs", ".cache"
# Begins the name of a login's directory, which is no job's.
LOGIN = "login-"
_STATE, _LOCK, _STAGE, _FAILED, _KEEP = "state.json", "lock", "stage", "failed", "keep"
_NAME = re.compile("[0-9a-f]{16}", re.ASCII)
_LIMIT = 1 << 20
STARTING, READY, ENDED = "starting", "ready", "ended"


class Job(NamedTuple):
    name: str
    # The content of state.json; see supervisor.py.
    state: dict[str, Any]

    @property
    def directory(self) -> str:
        return job_path(self.name)

    @property
    def agent(self) -> str:
        """The socket of the job's agent."""
        return self.state.get("agent") or agent_path(self.name)


def new_name() -> str:
    """A random name, of which nothing can be chosen from outside."""
    return os.urandom(8).hex()


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def job_path(name: str) -> str:
    return os.path.join(JOBS_DIRECTORY, name)


def agent_path(name: str) -> str:
    return os.path.join(JOBS_DIRECTORY, name, "agent")


def disk_path(root: str, name: str) -> str:
    """The directory of a job on the disk of its image."""
    return os.path.join(root, STATE_DIRECTORY, DISKS, name)


@contextmanager
def _all_jobs() -> Iterator[None]:
    """Keeps other processes from making directories of jobs, and from taking their locks."""
    while True:
        os.makedirs(JOBS_DIRECTORY, mode=0o700, exist_ok=True)
        os.chmod(os.path.dirname(JOBS_DIRECTORY), 0o700)
        # Not the directory: a session removes directories beside its own that are empty.
        with suppress(FileNotFoundError):
            descriptor = os.open(os.path.join(JOBS_DIRECTORY, ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            break
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make(name: str) -> int:
    """Makes the directory of a new job and returns the descriptor of its lock. Raises RunnerError."""
    try:
        with _all_jobs():
            os.mkdir(job_path(name), 0o700)
            descriptor = os.open(os.path.join(job_path(name), _LOCK), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            return descriptor
    except FileExistsError:
        raise RunnerError(f"the job {name} exists already", "call cleanup first") from None
    except OSError as problem:
        raise system_error(problem, f"{job_path(name)} cannot be made") from problem


def make_login() -> str:
    """Makes a directory for the socket of a login in an image, and returns its path. Raises OSError."""
    with _all_jobs():
        path = os.path.join(JOBS_DIRECTORY, f"{LOGIN}{new_name()}")
        os.mkdir(path, 0o700)
        return path


def remove_logins() -> None:
    """Removes the directories of killed logins."""
    for name in _entries(JOBS_DIRECTORY):
        agent = os.path.join(JOBS_DIRECTORY, name, "agent")
        if name.startswith(LOGIN) and os.path.lexists(agent):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.setblocking(False)
                if probe.connect_ex(agent) != errno.ECONNREFUSED:
                    continue
            with suppress(OSError):
                os.unlink(agent)
                os.rmdir(os.path.dirname(agent))


def take(name: str) -> int | None:
    """The lock of a job without a supervisor, held by this process now; None for a job with a supervisor, or one that is gone."""
    with _all_jobs():
        try:
            descriptor = os.open(os.path.join(job_path(name), _LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor


def save(name: str, state: dict[str, Any]) -> None:
    """Replaces the state. Readers find the old one or the new one. Raises OSError."""
    _write(name, _STATE, json.dumps(state))


def _write(name: str, file: str, text: str) -> None:
    path = os.path.join(job_path(name), file)
    part = f"{path}.{os.getpid()}"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="utf-8") as output:
        output.write(text)
    os.replace(part, path)


def _read(name: str, file: str) -> str | None:
    try:
        with open(os.path.join(job_path(name), file), encoding="utf-8") as source:
            return source.read(_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove(name: str) -> None:
    """Removes a job's directory, which has no mounts any more. The caller holds the job's lock."""
    # Nothing is removed in a directory that could be a mount point.
    directory = job_path(name)
    below = [os.path.join(directory, name, entry) for name in ("binds", "units") for entry in _entries(os.path.join(directory, name))]
    # The state goes last: a removal that is interrupted can be completed.
    own = sorted(_entries(directory), key=lambda entry: entry in (_LOCK, _STATE))
    for path in (*below, *(os.path.join(directory, entry) for entry in own), directory):
        with suppress(OSError):
            os.rmdir(path)
        with suppress(OSError):
            os.unlink(path)
    with suppress(OSError):
        os.rmdir(directory)


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def load(name: str) -> Job | None:
    """The job with this name; None if there is none. A job in the middle of its birth or end has no state."""
    text = _read(name, _STATE)
    if text is None:
        return Job(name, {}) if os.path.isdir(job_path(name)) else None
    return Job(name, json.loads(text))


def names() -> list[str]:
    """The names of all jobs."""
    try:
        return sorted(name for name in os.listdir(JOBS_DIRECTORY) if is_name(name))
    except FileNotFoundError:
        return []


def jobs() -> list[Job]:
    """All jobs with a state, the oldest first."""
    found = [job for job in map(load, names()) if job and job.state]
    return sorted(found, key=lambda job: job.state["created"])


def find(key: str) -> list[Job]:
    """The jobs with this key: of one job there can be several attempts."""
    return [job for job in jobs() if job.state["key"] == key]


def set_stage(name: str, stage: str) -> None:
    """Notes the stage that a job is in."""
    with suppress(OSError):
        _write(name, _STAGE, json.dumps({"stage": stage, "since": time.time()}))


def stage(name: str) -> dict[str, Any]:
    text = _read(name, _STAGE)
    return json.loads(text) if text else {}


def mark_failed(name: str) -> None:
    """Notes that the job's own script has failed."""
    with suppress(OSError):
        _write(name, _FAILED, "")


def has_failed(name: str) -> bool:
    return os.path.exists(os.path.join(job_path(name), _FAILED))


def keep_until(name: str, deadline: float) -> None:
    """Asks the supervisor, which a signal has to wake, to keep the job up to this time (seconds from 1970)."""
    _write(name, _KEEP, str(deadline))


def kept_until(name: str) -> float | None:
    text = _read(name, _KEEP)
    return float(text) if text else None


def start_time(pid: int) -> str:
    """The time of a process's start, as the kernel counts: with it, a process id names one process. Empty if the process has ended."""
    with suppress(OSError, IndexError):
        return stat_fields(pid)[19].decode()
    return ""


def process(pid: int, start: str) -> int | None:
    """A descriptor of this process (pidfd); None if it has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    # After the descriptor is open, the id can pass to no other process unseen.
    if start_time(pid) == start:
        return descriptor
    os.close(descriptor)
    return None

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: start and end of a job, for GitLab and for people. Names can change at any time.

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence

from ansible_collections.nspawn.runner.plugins.module_utils._job import state, supervisor
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import JobSettings

# Seconds for a supervisor to end its job, which removes files, and for one that was killed then.
_PATIENCE, _KILLED = 6, 2


def end(job: state.Job) -> None:
    """Ends a job in any state, and removes the rest of it. Raises OSError."""
    if job.state:
        descriptor = state.process(job.state["pid"], job.state["start"])
        if descriptor is not None:
            try:
                for number, patience in ((signal.SIGTERM, _PATIENCE), (signal.SIGKILL, _KILLED)):
                    signal.pidfd_send_signal(descriptor, number)
                    if select.select([descriptor], [], [], patience)[0]:
                        break
            except ProcessLookupError:
                pass
            finally:
                os.close(descriptor)
    remove_dead(job.name)


def remove_dead(name: str) -> bool:
    """Removes the rest of a job without a supervisor; returns whether there was such a job."""
    descriptor = state.take(name)
    if descriptor is None:
        return False
    try:
        job = state.load(name)
        if job and job.state:
            supervisor.remove_rest(job.state)
        state.remove(name)
    finally:
        os.close(descriptor)
    return True


def own_process() -> tuple[int, str]:
    """This process, as a job's runner."""
    return os.getpid(), state.start_time(os.getpid())


def limits(job: JobSettings, limited: Sequence[str]) -> Sequence[str]:
    """The limits of a job that hold on this host, for people. `limited`: the kernel's controllers that the job has."""
    words = []
    if "memory" in limited:
        words.append(f"memory {job['memory']}")
    if "cpu" in limited and job.get("cpus"):
        words.append(f"{job['cpus']:g} cpus")
    words.append(f"{job['pids']} processes")
    if job.get("disk"):
        words.append(f"disk {job['disk']}")
    return words

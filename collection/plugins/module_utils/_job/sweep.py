# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: removal of the rest of killed jobs. Names can change at any time.

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._job import launch, state
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

# Seconds that the state of an ended job stays for the job's next call, and that a supervisor has after a job's deadline.
_FOR_CALLS, _LATE = 600, 60


def sweep(root: str) -> list[str]:
    """Removes jobs without a supervisor, and directories without a job below this root directory. Returns their names.

    The supervisor of a job ends it with its runner and at its deadline. A supervisor that cannot, or that no cleanup has reached, is ended here.
    """
    state.remove_logins()
    # Before the jobs: a job's directory on the disk is made after the job.
    disks = _directories(root)
    removed = [name for name in state.names() if _sweep_job(name)]
    for name in disks:
        if not os.path.lexists(state.job_path(name)):
            with suppress(RunnerError, OSError):
                remove_tree(state.disk_path(root, name), wait=False)
                removed.append(name)
    return list(dict.fromkeys(removed))


def _directories(root: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.dirname(state.disk_path(root, ""))))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sweep_job(name: str) -> bool:
    job = state.load(name)
    if job is None:
        return False
    content, now = job.state, time.time()
    if content.get("status") == state.ENDED and now - content["ended"] < _FOR_CALLS:
        return False
    deadline, response = content.get("deadline"), content.get("response") or ""
    is_late = deadline is not None and now > deadline + _LATE
    # GitLab Runner removes the file after the cleanup call, which can have been killed.
    is_over = response != "" and not os.path.lexists(response)
    if (is_late or is_over) and state.kept_until(name) is None:
        launch.end(job)
        return True
    return launch.remove_dead(name)


def sweep_all(arguments: Any) -> int:
    """sweep: the verb."""
    for name in sweep(arguments.root):
        sys.stdout.write(f"removed the rest of job {name}\n")
    return 0

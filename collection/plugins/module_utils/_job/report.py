# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: numbers and lists of jobs and images. Names can change at any time.

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._job import images as image_list
from ansible_collections.nspawn.runner.plugins.module_utils._job import settings, state
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

# A disk with less is called full: bytes and inodes.
_FULL, _FULL_INODES = 1 << 20, 16
_OS_RELEASE = 1 << 16


def _cgroup(job: state.Job, file: str) -> str:
    """The content of a file of the control group of a job's scope; empty without one."""
    if not job.state.get("scope"):
        return ""
    with suppress(OSError), open(f"/proc/{job.state['pid']}/cgroup", encoding="utf-8") as groups:
        path = next((line.split("::", 1)[1].rstrip("\n") for line in groups if line.startswith("0::")), "")
        # The scope delegates to groups below.
        top = path[: path.index(job.state["scope"]) + len(job.state["scope"])] if job.state["scope"] in path else path
        with open(f"/sys/fs/cgroup{top}/{file}", encoding="ascii") as content:
            return content.read()
    return ""


def _counters(text: str) -> dict[str, int]:
    return {name: int(value) for name, _space, value in (line.partition(" ") for line in text.splitlines()) if value.isdigit()}


def oom_kills(job: state.Job) -> int:
    """The number of processes that the kernel has killed for the memory limit of the job."""
    return _counters(_cgroup(job, "memory.events")).get("oom_kill", 0)


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def space(job: state.Job) -> os.statvfs_result | None:
    """The file system that takes the job's own files; None for a job without mounts."""
    name = "root" if job.state["job"]["storage"] == "snapshot" else "layers"
    with suppress(OSError):
        return os.statvfs(f"/proc/{job.state['pid']}/root{job.directory}/{name}")
    return None


def reasons(job: state.Job, killed: int) -> list[str]:
    """Sentences about limits that a job has reached, as far as they can be the reason of a failure. `killed`: oom_kills before the stage."""
    own = job.state["job"]
    found = []
    if oom_kills(job) > killed:
        limit = settings.size(own["memory"], settings.memory_of_host())
        found.append(f"out of memory: the kernel has killed a process, since the job has reached its limit of {settings.size_text(limit)}")
    disk = space(job)
    if disk:
        limit_text = f"its limit of {own['disk']}" if own.get("disk") else "all the room that the host has"
        if disk.f_bavail * disk.f_frsize < _FULL:
            found.append(f"no space left: the job has written {limit_text}")
        elif disk.f_files and disk.f_favail < _FULL_INODES:
            found.append("no inodes left: the job has made as many files as its disk can have")
    return found


def summary(job: state.Job) -> dict[str, Any]:
    """Numbers about a job that ends, for logs and metrics; empty for a job without a state."""
    if not job.state:
        return {}
    now = time.time()
    cpu = _counters(_cgroup(job, "cpu.stat")).get("usage_usec")
    return {
        "job": job.state["label"],
        "image": job.state["image"],
        "generation": job.state["generation"],
        "seconds": round(job.state.get("ended", now) - job.state["created"], 1),
        "memory_peak": _number(_cgroup(job, "memory.peak")),
        "cpu_seconds": None if cpu is None else round(cpu / 1e6, 2),
        "oom_kills": oom_kills(job) if job.state.get("scope") else None,
        "failed": state.has_failed(job.name),
        "reason": job.state["reason"],
    }


def jobs(arguments: Any) -> int:
    """jobs: the running and the kept jobs."""
    rows = [_job_row(job) for job in state.jobs()]
    if arguments.json:
        sys.stdout.write(f"{json.dumps(rows, indent=2)}\n")
    else:
        _table(
            ("JOB", "FOR", "IMAGE", "STAGE", "AGE", "MEMORY", "DISK"),
            [
                (
                    row["job"],
                    row["label"],
                    row["image"],
                    row["stage"] or row["status"],
                    _age(row["age"]),
                    _size(row["memory"]),
                    _size(row["disk"]),
                )
                for row in rows
            ],
        )
    return 0


def _job_row(job: state.Job) -> dict[str, Any]:
    disk = space(job) if job.state["job"]["storage"] == "tmpfs" or job.state["job"].get("disk") else None
    return {
        "job": job.name,
        "label": job.state["label"],
        "image": job.state["image"],
        "generation": job.state["generation"],
        "status": "kept" if state.kept_until(job.name) else job.state["status"],
        "stage": visible(str(state.stage(job.name).get("stage", "")))[:40],
        "age": max(0, int(time.time() - job.state["created"])),
        "memory": _number(_cgroup(job, "memory.current")),
        "disk": (disk.f_blocks - disk.f_bfree) * disk.f_frsize if disk else None,
        "deadline": job.state["deadline"],
        "reason": job.state["reason"],
    }


def images(arguments: Any) -> int:
    """list: the images of this host."""
    running: dict[str, int] = {}
    for job in state.jobs():
        if job.state["root"] == arguments.root and job.state["status"] != state.ENDED:
            running[job.state["image"]] = running.get(job.state["image"], 0) + 1
    rows = [_image_row(arguments.root, name, running.get(name, 0)) for name in image_list.names(arguments.root)]
    if arguments.json:
        sys.stdout.write(f"{json.dumps(rows, indent=2)}\n")
    else:
        _table(
            ("IMAGE", "SYSTEM", "GENERATION", "AGE", "JOBS"),
            [(row["image"], row["system"] or "-", row["generation"] or "-", record.age(row["created"]) or "-", str(row["jobs"])) for row in rows],
        )
    return 0


def _image_row(root: str, name: str, running: int) -> dict[str, Any]:
    row: dict[str, Any] = {"image": name, "path": os.path.join(root, name), "system": _system(os.path.join(root, name)), "jobs": running}
    try:
        image = image_list.load(root, name)
        row.update(generation=image.generation, created=image.created, allowed=image.settings.job["allowed"])
    except RunnerError as problem:
        row.update(generation="", created="", allowed=False, error=str(problem))
    return row


def _system(tree: str) -> str:
    """The name of a tree's system, visible; empty if the tree tells none."""
    for path in ("usr/lib/os-release", "etc/os-release"):
        with suppress(OSError):
            text = beneath.read_file(tree, path, _OS_RELEASE)
            if text:
                lines = [line.partition("=") for line in text.decode(errors="replace").split("\n")]
                return visible(next((value.strip("\"' ") for key, _equals, value in lines if key == "PRETTY_NAME"), ""))[:60]
    return ""


def paths(arguments: Any) -> int:
    """chroot-list: names and paths of the images."""
    for name in image_list.names(arguments.root):
        sys.stdout.write(f"{name}\t{os.path.join(arguments.root, name)}\n")
    return 0


def _age(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _size(number: int | None) -> str:
    return "-" if number is None else settings.size_text(number)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    for line in (head, *rows):
        sys.stdout.write("  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() + "\n")

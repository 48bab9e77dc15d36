# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the doctor's check of this host for jobs on the images. It changes nothing. Names can change at any time.

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import find_program
from ansible_collections.nspawn.runner.plugins.module_utils._host.scope import has_scopes
from ansible_collections.nspawn.runner.plugins.module_utils._host.user_namespace import REMEDY, obstacle
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import JOB_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import VARIABLE_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._tree.btrfs import has_subvolumes
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, WARNING, Rows, Subject

_RUNNER = "gitlab-runner"
_LOOP = "/dev/loop-control"
# The first kernel that has an overlay on a tree with mapped owners.
_KERNEL = (5, 19)


def jobs(root: str, directory: str, subjects: Sequence[Subject]) -> Rows:
    """The restrictions of jobs on this root directory's images. `directory`: the root directory, or the nearest above it."""
    known = {subject.image.name: subject.settings for subject in subjects if subject.image.root == root and subject.settings is not None}
    images = {name: settings for name, settings in known.items() if settings.get(f"{JOB_PREFIX}allowed") is not False}
    rows = [*_start(directory, images), *_programs(images), *_limits(directory, images)]
    yield from rows
    if not rows:
        runner = "is installed" if find_program(_RUNNER) else "is not installed, so people alone start jobs"
        yield OK, f"{len(images)} of {len(known)} images are for jobs; {_RUNNER} {runner}"


def _with(images: Mapping[str, Mapping[str, Any]], setting: str, value: Any) -> list[str]:
    """The images with this value of a setting for jobs, sorted."""
    return sorted(name for name, settings in images.items() if settings.get(f"{JOB_PREFIX}{setting}") == value)


def _start(directory: str, images: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Reasons for which a job does not start."""
    mapped = sorted(name for name, settings in images.items() if settings.get(f"{JOB_PREFIX}user_namespace") is not False)
    remedy = REMEDY.replace(f"{VARIABLE_PREFIX}user", f"{JOB_PREFIX}user")
    layered = [name for name in mapped if name not in _with(images, "storage", "snapshot")]
    if layered and _kernel() < _KERNEL:
        yield WARNING, f"no job starts on {', '.join(layered)}: Linux {os.uname().release} has no overlay with mapped owners", "upgrade the kernel of this host"
    # Otherwise the check "user namespace" has the same line.
    alone = all(settings.get(f"{VARIABLE_PREFIX}user_namespace") is False for settings in images.values())
    problem = obstacle(directory) if mapped and alone and os.geteuid() == 0 else ""
    if problem:
        yield WARNING, f"no job starts on {', '.join(mapped)}: {problem}", remedy
    booted = _with(images, "boot", True)
    if booted and not has_scopes():
        yield WARNING, f"no job starts on {', '.join(booted)}: it boots, and systemd is not PID 1 on this host", f"set {JOB_PREFIX}boot: false"
    snapshots = _with(images, "storage", "snapshot")
    if snapshots and not has_subvolumes(directory):
        found = f"no job starts on {', '.join(snapshots)}: {directory} has no snapshots"
        yield WARNING, found, f"set {JOB_PREFIX}storage: overlay, or use btrfs and run apt install btrfs-progs"


def _kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])


def _programs(images: Mapping[str, Mapping[str, Any]]) -> Rows:
    private = _with(images, "network", "private")
    if private and not find_program("pasta"):
        yield WARNING, f"no job starts on {', '.join(private)}: the program pasta is missing", f"run apt install passt, or set {JOB_PREFIX}network: none"


def _limits(directory: str, images: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Reasons for which a limit does not hold."""
    sized = sorted(name for name, settings in images.items() if settings.get(f"{JOB_PREFIX}disk") and name not in _with(images, "storage", "tmpfs"))
    if sized and not find_program("mkfs.ext4"):
        yield WARNING, f"no job starts on {', '.join(sized)}: mkfs.ext4, which makes a disk of a size, is missing", "run apt install e2fsprogs"
    elif sized and not os.path.exists(_LOOP):
        yield WARNING, f"no job starts on {', '.join(sized)}: this host has no {_LOOP}, which a disk of a size needs", "load the module loop"
    # A host without GitLab Runner has jobs of people alone.
    if images and find_program(_RUNNER) and not has_scopes():
        found = "memory, swap and processors of jobs have no limit, since systemd is not PID 1 on this host"
        yield WARNING, found, "boot this host with systemd, or let trusted jobs alone run here"

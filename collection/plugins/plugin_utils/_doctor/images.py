# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the doctor's checks of root directories and images. A check changes nothing. Names can change at any time.

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._create import bootstrap
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import check_user_namespace, container_lines
from ansible_collections.nspawn.runner.plugins.module_utils._host.user_namespace import REMEDY, obstacle
from ansible_collections.nspawn.runner.plugins.module_utils._image import record, stage
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, check_root
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import CREATION
from ansible_collections.nspawn.runner.plugins.module_utils._tree.btrfs import has_subvolumes, is_btrfs
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Row, Rows, Subject, error_row
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.variables import SOURCES, creation_options

_DAY = 86400


def root(root: str) -> Rows:
    check_root(root)
    if not os.path.lexists(root):
        yield OK, f"{root} is created by the first run"
    elif os.stat(root).st_mode & 0o001:
        yield WARNING, f"{root}: every user can run the setuid programs of its trees", f"run chmod 0700 {root}"
    else:
        yield OK, root


def user_namespace(root: str, subjects: Sequence[Subject]) -> Rows:
    if os.geteuid() != 0:
        return
    directory = existing(root)
    problem = obstacle(directory)
    settings = [subject.settings for subject in subjects if subject.image.root == root and subject.settings is not None]
    without = [one for one in settings if one.get("nspawn_runner_user_namespace") is False]
    if problem and (not settings or len(without) < len(settings)):
        yield PROBLEM, problem, REMEDY
    elif without:
        yield WARNING, f"{len(without)} of {len(settings)} images have none", "remove nspawn_runner_user_namespace: false where the tasks do not need it"
    else:
        yield OK, f"owners can be mapped in {directory}"


def existing(root: str) -> str:
    """The root directory, or the nearest directory above it."""
    directory = root
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory


def copies(root: str, subjects: Sequence[Subject]) -> Rows:
    directory = existing(root)
    free = _free(directory)
    if has_subvolumes(directory):
        yield OK, f"snapshots, on btrfs; {free >> 20} MiB are free"
    elif is_btrfs(directory):
        yield WARNING, f"no snapshots: {directory} is on btrfs, and the program btrfs is missing", "run apt install btrfs-progs"
    # The test files have no names, so nothing appears in the directory.
    elif stage.shares_extents(directory):
        yield OK, f"share their blocks; {free >> 20} MiB are free"
    else:
        yield _plain(directory, free, [subject.image.path for subject in subjects if subject.image.root == root])


def _free(directory: str) -> int:
    system = os.statvfs(directory)
    return system.f_bavail * system.f_frsize


def _plain(directory: str, free: int, paths: Sequence[str]) -> Row:
    """The line for a file system on which a copy takes as much space as the tree."""
    system = os.statvfs(directory)
    size = (system.f_blocks - system.f_bfree) * system.f_frsize
    # No tree is larger than all files of the file system; measuring the trees takes long, and is rarely needed.
    if stage.needed(size) > free:
        trees = [path for path in paths if os.path.isdir(path) and not os.path.islink(path)]
        size = max((stage.used(tree, "--block-size=1") for tree in trees), default=0)
    missing = (stage.needed(size) - free) / (1 << 20)
    if missing > 0:
        return PROBLEM, f"plain: the largest tree does not fit into {directory} a second time", f"free {missing:.0f} MiB there, or use btrfs or xfs"
    return OK, f"plain; {free >> 20} MiB are free"


def image(subject: Subject) -> Rows:
    image = subject.image
    place = Place(image.root, image.name)
    rows: list[Row] = []
    if subject.problem:
        rows.append(error_row(PROBLEM, subject.problem, f"fix {image.playbook}"))
    elif subject.settings is not None:
        rows += _creation(image, subject.settings)
        rows += _binds(image, subject.settings)
    rows += _history(place, record.load(place), subject.settings)
    state = "exists" if os.path.lexists(image.path) else "is created by the next run"
    yield from rows or [(OK, state if image.playbook else "has no playbook, so no maintenance changes it")]


def _creation(image: Image, settings: Mapping[str, Any]) -> Rows:
    options = creation_options(settings)
    missing = not os.path.lexists(image.path)
    if any(source in options for source in SOURCES):
        try:
            bootstrap.plan(options)
        except RunnerError as problem:
            yield error_row(PROBLEM if missing else WARNING, problem)
    elif missing:
        yield PROBLEM, "is missing, and its playbook does not say how to create it", f"set {CREATION[SOURCES[0]]} in the vars of {image.playbook}"


def _binds(image: Image, settings: Mapping[str, Any]) -> Rows:
    if settings.get("nspawn_runner_binds") and os.geteuid() == 0:
        try:
            check_user_namespace(container_lines(settings), existing(image.root))
        except RunnerError as problem:
            yield error_row(PROBLEM, problem)


def _history(place: Place, content: Mapping[str, Any], settings: Mapping[str, Any] | None) -> Rows:
    if "hold" in content:
        yield _hold(place, content["hold"], settings)
    unrecorded = record.unrecorded(place)
    last = unrecorded or content.get("last_run")
    if not isinstance(last, Mapping):
        return
    log = os.path.join(place.state, layout.LOG_FILE)
    if unrecorded:
        found = f"the run of {last.get('started')} ({last.get('result')}) is not in {layout.STATE_FILE}, which could not be written: {last.get('msg')}"
        yield WARNING, found, "see to the disk: the next run records it"
    elif last.get("result") in record.FAILURES:
        yield _failure(last, log)
    # Without a log, the run ended before the removal.
    if settings is None or (last.get("result") in (*record.FAILURES, "held") and "log" not in last):
        return
    existing = [entry for entry in content["generations"] if entry["id"] in record.directories(place)]
    # Only generations that were due for removal at the time of the last run, and that this run did not leave for the next one.
    due = (record.seconds(last.get("started")) or 0) - settings["nspawn_runner_keep_days"] * _DAY
    kept = settings["nspawn_runner_keep_generations"]
    old = [entry["id"] for entry in existing[kept:] if entry.get("mounts_complete") and (record.seconds(entry.get("retired")) or 0) < due]
    if old:
        yield WARNING, f"{', '.join(old)} could not be removed", f"end the processes, and unmount the mounts, that are named in {log}"


def _hold(place: Place, hold: Mapping[str, Any], settings: Mapping[str, Any] | None) -> Row:
    days = (settings or {}).get("nspawn_runner_hold_days")
    since, age = record.seconds(hold["since"]), record.age(hold["since"])
    found = f"held since {hold['since']}{f', for {age}' if age else ''}"
    late = days is not None and since is not None and time.time() - since >= days * _DAY
    remedy = f"run ansible-playbook -i nspawn_runner.yml nspawn.runner.release --limit {place.image}"
    return (PROBLEM, f"{found}, longer than nspawn_runner_hold_days ({days})", remedy) if late else (WARNING, found, remedy)


def _failure(last: Mapping[str, Any], log: str) -> Row:
    count = last.get("failed_runs", 1)
    found = f"the last {count} runs failed, since {last.get('since')}" if count > 1 else f"the run of {last.get('started')} failed"
    # A run without a log has its reason in the record alone.
    return (WARNING, found, f"see {log}") if "log" in last else (WARNING, f"{found}: {last.get('msg')}", "")

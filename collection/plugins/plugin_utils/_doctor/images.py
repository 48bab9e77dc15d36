# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a host's root directories and images as a maintenance would find them. It only looks. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._create import bootstrap
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import record, stage
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, check_root
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.module_utils._tree.btrfs import has_subvolumes, is_btrfs
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Rows, Subject, found_and_remedy
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.maintenance import CREATION, SOURCES

_DAY = 86400


def root(root: str) -> Rows:
    check_root(root)
    if not os.path.lexists(root):
        yield OK, f"{root} is made by the first run"
    elif os.stat(root).st_mode & 0o001:
        yield WARNING, f"{root}: every user can run the setuid programs of its trees", f"chmod 0700 {root}"
    else:
        yield OK, root


def copies(root: str, subjects: Sequence[Subject]) -> Rows:
    there = root
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    free = _free(there)
    if has_subvolumes(there):
        yield OK, f"snapshots, on btrfs; {free >> 20} MiB are free"
    elif is_btrfs(there):
        yield WARNING, f"no snapshots: {there} is on btrfs, and its program is missing", "apt install btrfs-progs"
    # It tries with files that have no name.
    elif stage.shares_extents(there):
        yield OK, f"share their blocks; {free >> 20} MiB are free"
    else:
        yield _plain(there, free, [subject.image.path for subject in subjects if subject.image.root == root])


def _free(there: str) -> int:
    system = os.statvfs(there)
    return system.f_bavail * system.f_frsize


def _plain(there: str, free: int, paths: Sequence[str]) -> tuple[str, ...]:
    system = os.statvfs(there)
    size = (system.f_blocks - system.f_bfree) * system.f_frsize
    # No tree is larger than all that is there: mostly that is answer enough.
    if stage.needed(size) > free:
        trees = [path for path in paths if os.path.isdir(path) and not os.path.islink(path)]
        size = max((stage.used(tree, "--block-size=1") for tree in trees), default=0)
    missing = (stage.needed(size) - free) / (1 << 20)
    if missing > 0:
        return PROBLEM, f"plain: the largest tree does not fit a second time into {there}", f"free {missing:.0f} MiB there, or use btrfs or xfs"
    return OK, f"plain; {free >> 20} MiB are free"


def image(subject: Subject) -> Rows:
    image = subject.image
    place = Place(image.root, image.name)
    rows: list[tuple[str, ...]] = []
    if subject.problem:
        rows.append((PROBLEM, subject.problem, f"mend {image.playbook}"))
    elif subject.settings is not None:
        rows += _creation(image, subject.settings)
    rows += _history(place, record.load(place), subject.settings)
    there = "is there" if os.path.lexists(image.path) else "is made by the next run"
    yield from rows or [(OK, there if image.playbook else "has no playbook, and is left alone")]


def _creation(image: Image, settings: Mapping[str, Any]) -> Rows:
    options = {option: settings.get(variable) for option, variable in CREATION.items()}
    missing = not os.path.lexists(image.path)
    if any(options[source] is not None for source in SOURCES):
        try:
            bootstrap.plan(options)
        except RunnerError as problem:
            yield PROBLEM if missing else WARNING, *found_and_remedy(str(problem))
    elif missing:
        yield PROBLEM, "is missing, and its playbook does not say how to make it", f"set {CREATION[SOURCES[0]]} in the vars of {image.playbook}"


def _history(place: Place, content: Mapping[str, Any], settings: Mapping[str, Any] | None) -> Rows:
    if "hold" in content:
        yield WARNING, f"held since {content['hold']['since']}", f"ansible-playbook nspawn.runner.release --limit {place.image}"
    last = content.get("last_run")
    if not isinstance(last, Mapping):
        return
    log = os.path.join(place.state, layout.LOG_FILE)
    if last.get("result") in ("failed", "busy"):
        yield WARNING, f"the run of {last.get('started')} failed", f"see {log}"
    if settings is None:
        return
    there = [entry for entry in content["generations"] if entry["id"] in record.directories(place)]
    # Only those that the last run should have removed already.
    due = (record.seconds(last.get("started")) or 0) - settings["nspawn_runner_keep_days"] * _DAY
    kept = settings["nspawn_runner_keep_generations"]
    old = [entry["id"] for entry in there[kept:] if (record.seconds(entry.get("retired")) or 0) < due]
    if old:
        yield WARNING, f"{', '.join(old)} could not be removed", f"end what uses it, as {log} says"

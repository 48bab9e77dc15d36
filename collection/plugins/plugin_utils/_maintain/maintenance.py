# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: one image, start to end: a staged tree, its playbook in a run of its own, and the swap. Names can change at any time.

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ansible import context

from ansible_collections.nspawn.runner.plugins.module_utils._create import chroot
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import write_container_file
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.generations import keep_failed, prune
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import inner_result_path
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, make_state
from ansible_collections.nspawn.runner.plugins.module_utils._image.publish import publish, recover
from ansible_collections.nspawn.runner.plugins.module_utils._image.stage import stage_tree
from ansible_collections.nspawn.runner.plugins.module_utils._session.lock import image_lock
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import LOG_FILE
from ansible_collections.nspawn.runner.plugins.module_utils._tree.compare import difference
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages import installed_packages, package_changes, package_counts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import Log, display, log_of
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import inner_run
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import Inner

# Options of nspawn.runner.chroot and the image's variables that give them.
CREATION = {
    "suite": "nspawn_runner_chroot_suite",
    "bootstrap": "nspawn_runner_bootstrap",
    "command": "nspawn_runner_create_command",
    "tarball": "nspawn_runner_tarball",
    "checksum": "nspawn_runner_tarball_checksum",
    "mirror": "nspawn_runner_mirror",
    "components": "nspawn_runner_components",
    "architecture": "nspawn_runner_architecture",
    "variant": "nspawn_runner_variant",
    "packages": "nspawn_runner_packages",
    "keyring": "nspawn_runner_keyring",
}
SOURCES = ("suite", "command", "tarball")

Result = dict[str, Any]


class Job(NamedTuple):
    """What is to be done with one image."""

    image: Image
    # The image's variables, checked.
    settings: Mapping[str, Any]
    # Variables of the inner run that nothing may override.
    pinned: Mapping[str, Any]
    create_only: bool
    check: bool
    diff: bool

    @property
    def place(self) -> Place:
        return Place(self.image.root, self.image.name)


def maintain(job: Job) -> Result:
    """Maintains the image, or says in `result` and `msg` why not."""
    try:
        return _maintain(job)
    except Busy as problem:
        return failure("busy", problem)
    except RunnerError as problem:
        return failure("failed", problem)
    except OSError as problem:
        return failure("failed", system_error(problem, path=job.place.state))


def failure(result: str, problem: object) -> Result:
    return {"failed": True, "changed": False, "result": result, "msg": str(problem)}


def _maintain(job: Job) -> Result:
    image, place = job.image, job.place
    missing = not os.path.lexists(image.path)
    there = {"changed": False, "result": "unchanged", "msg": f"{image.path} exists"}
    if job.create_only and not missing:
        return there
    creation = _creation(job, missing)
    if job.check and creation:
        # There is nothing to run the playbook in.
        return _planned(creation, job, missing)
    make_state(image.root, image.name)
    with image_lock(place.state, "maintenance"):
        recover(place)
        if missing and os.path.lexists(image.path):
            # Another run has made it since.
            if job.create_only:
                return there
            creation = None
        content = record.load(place)
        if "hold" in content:
            return _held(image, content)
        with log_of(image.name, place.state) as log:
            started, clock = record.now(), time.monotonic()
            result = _logged(job, creation, content, log)
            if not job.check:
                _remember(place, started, round(time.monotonic() - clock, 1), result)
                prune(place, job.settings["nspawn_runner_keep_generations"], job.settings["nspawn_runner_keep_days"], log)
            return result


def _creation(job: Job, missing: bool) -> dict[str, Any] | None:
    """How the tree is made, when it is to be made."""
    if not missing and (job.create_only or not job.settings["nspawn_runner_maint_recreate"]):
        return None
    options = _creation_options(job.settings)
    if not any(source in options for source in SOURCES):
        names = " or ".join(CREATION[source] for source in SOURCES)
        reason = "is missing" if missing else "is to be made anew"
        raise RunnerError(f"image {job.image.name} {reason} and its playbook does not say how to make it: set {names} in the vars of {job.image.playbook}")
    unset = dict.fromkeys(CREATION)
    return {**unset, **options, "name": job.image.name, "root": job.image.root, "state": "present", "recreate": not missing}


def _creation_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {option: settings[variable] for option, variable in CREATION.items() if settings.get(variable) is not None}


def _planned(creation: dict[str, Any], job: Job, missing: bool) -> Result:
    planned = chroot.checked_plan(creation)
    told = chroot.describe(job.image.path, planned, not missing, True)
    display.display(f"{job.image.name} | {told['msg']}{_suite(creation, planned)}")
    result = {"changed": True, "result": "published", "created": missing, "msg": told["msg"]}
    return {**result, "diff": told["diff"]} if job.diff else result


def _suite(creation: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    return "" if planned["bootstrap"] in ("command", "tarball") else f" from suite {creation['suite']}"


def _held(image: Image, content: Mapping[str, Any]) -> Result:
    hold = content["hold"]
    msg = (
        f"rolled back to {hold['generation']} on {hold['since']}, and held there until it is released: "
        f"ansible-playbook nspawn.runner.release --limit {image.name}"
    )
    return {"changed": False, "result": "held", "msg": msg}


def _logged(job: Job, creation: dict[str, Any] | None, content: Mapping[str, Any], log: Log) -> Result:
    """The maintenance under lock and log: a failure leaves nothing but the failed tree, where that was asked for."""
    log_file = os.path.join(job.place.state, LOG_FILE)
    try:
        result = _on_stage(job, creation, content, log)
    except Busy as problem:
        result = failure("busy", problem)
    except inner_run.RunError as problem:
        result = {**failure("failed", f"{problem}{_kept(job)}"), "tasks_changed": problem.tasks_changed}
    except RunnerError as problem:
        result = failure("failed", problem)
    except OSError as problem:
        result = failure("failed", system_error(problem, path=job.place.state))
    try:
        recover(job.place)
    except (RunnerError, OSError) as problem:
        log(f"what is left in {job.place.state} goes with the next run: {problem}")
    log(result["msg"])
    return {**result, "log": log_file}


def _kept(job: Job) -> str:
    if not job.settings["nspawn_runner_keep_failed"] or job.check:
        return ""
    try:
        return f"; the tree as it was then is in {keep_failed(job.place)}"
    except RunnerError as problem:
        return f"; the tree was not kept: {problem}"


def _on_stage(job: Job, creation: dict[str, Any] | None, content: Mapping[str, Any], log: Log) -> Result:
    image, place = job.image, job.place
    exists = os.path.lexists(image.path)
    before = installed_packages(image.path) if exists else None
    since = None
    said = []
    if creation:
        said.append(_build(job, creation, exists, log))
    else:
        _way, since = stage_tree(place, log)
    write_container_file(place.state, job.settings)
    # Before a container starts in it, and before jobs do.
    refuse_traps(place.staged)
    tasks_changed = _playbook(job, log)
    refuse_traps(place.staged)
    said.append(_counted(tasks_changed, "task", "changed"))
    options = _creation_options(job.settings)
    made_by = options if creation else content.get("published", {}).get("creation")
    stale = [variable for option, variable in CREATION.items() if made_by and made_by.get(option) != options.get(option)]
    if stale:
        said.append(f"{' and '.join(stale)} changed since the tree was made: -e nspawn_runner_maint_recreate=true makes it anew")
    result = {"changed": True, "result": "published", "created": not exists, "tasks_changed": tasks_changed, "creation_changed": stale}
    if job.check:
        changes = tasks_changed > 0
        return {**result, "changed": changes, "result": "published" if changes else "unchanged", "msg": "; ".join(said)}
    if since:
        differs = difference(place.staged, image.path, since)
        if differs is None:
            # Without waiting for the disk: there is nothing to be lost.
            remove_tree(place.staged, wait=False)
            return {**result, "changed": False, "result": "unchanged", "msg": "; ".join(said)}
        log(f"{differs} differs")
    packages = package_changes(before, installed_packages(place.staged))
    details = {"playbook": image.playbook, "playbook_sha256": _checksum(image.playbook), "tasks_changed": tasks_changed}
    known = {"packages": packages, "creation": made_by}
    notes: list[str] = []
    generation = publish(place, {**details, **{name: value for name, value in known.items() if value is not None}}, notes.append)
    said += [_counted(count, "package", word) for word, count in package_counts(packages).items() if count]
    said += [f"published as {generation['id']}", *notes]
    return {**result, "packages": packages, "generation": generation["id"], "msg": "; ".join(said)}


def _build(job: Job, creation: dict[str, Any], exists: bool, log: Log) -> str:
    """Fills the staged tree from nothing, and says how."""
    planned = chroot.checked_plan(creation)
    chroot.build(creation, planned, job.place, log)
    said = chroot.describe(job.image.path, planned, exists, False)["msg"] + _suite(creation, planned)
    log(said)
    return said


def _playbook(job: Job, log: Log) -> int:
    """Runs the image's playbook on the staged tree and returns how many tasks changed something; RunError when not all of it ran."""
    image, place = job.image, job.place
    result_file = inner_result_path(place.state)
    with suppress(FileNotFoundError):
        os.unlink(result_file)
    errors: list[str] = []

    def line(text: bytes) -> None:
        shown = log(text)
        if re.match(r"ERROR!|\[ERROR\]", shown):
            errors.append(shown)

    inner = Inner(image.name, image.path, place.staged, result_file, job.pinned)
    try:
        status = inner_run.run(inner_run.inner_argv(image, context.CLIARGS), inner_run.inner_environment(inner), line)
        return inner_run.outcome(image, status, result_file, os.path.join(place.state, LOG_FILE), errors)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(result_file)


def _remember(place: Place, started: str, seconds: float, result: Mapping[str, Any]) -> None:
    run = {"started": started, "seconds": seconds, "result": result["result"], "tasks_changed": result.get("tasks_changed", 0)}
    if result.get("packages") is not None:
        run["packages"] = result["packages"]
    # On a full disk, or a read-only one, the run itself has failed for that reason already.
    with suppress(RunnerError, OSError):
        record.save(place, {**record.load(place), "last_run": {**run, "msg": result["msg"], "log": result["log"]}})


def _checksum(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _counted(count: int, noun: str, what: str) -> str:
    return f"{count} {noun if count == 1 else f'{noun}s'} {what}"

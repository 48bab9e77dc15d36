# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: one image, start to end: a staged tree, the playbook in a run of its own, and the swap. Names can change at any time.

from __future__ import annotations

import grp
import hashlib
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ansible import context

from ansible_collections.nspawn.runner.plugins.module_utils._create import chroot
from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import without_login
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import (
    check_user_namespace,
    container_lines,
    write_container_file,
)
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import version
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible, visible_line
from ansible_collections.nspawn.runner.plugins.module_utils._image import record, seed
from ansible_collections.nspawn.runner.plugins.module_utils._image.generations import forget_failed, keep_failed, prune
from ansible_collections.nspawn.runner.plugins.module_utils._image.job_file import write_job_file
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import inner_result_path
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, make_state
from ansible_collections.nspawn.runner.plugins.module_utils._image.publish import publish, recover
from ansible_collections.nspawn.runner.plugins.module_utils._image.stage import stage_tree
from ansible_collections.nspawn.runner.plugins.module_utils._session.lock import image_lock
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import LOG_FILE
from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import CREATION
from ansible_collections.nspawn.runner.plugins.module_utils._tree.compare import Moment, difference
from ansible_collections.nspawn.runner.plugins.module_utils._tree.devices import remove_devices
from ansible_collections.nspawn.runner.plugins.module_utils._tree.machine_id import remove_machine_id
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mount_points import make_mount_points
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages import installed_packages, package_changes, package_counts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree
from ansible_collections.nspawn.runner.plugins.module_utils._tree.size import size
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps
from ansible_collections.nspawn.runner.plugins.module_utils._tree.usable import DATABASE, INIT, check_usable, essentials, refuse_losses
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import Log, append_to_log, display, log_of
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import inner_run
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.deadline import TimedOut, deadline
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import Inner
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.variables import SOURCES, creation_options

_DAY = 86400
# Lines of an error of Ansible that are quoted, up to an empty one.
_ERROR_LINES = 3
# Seconds for the size of a tree.
_SIZE_TIME = 20.0

Result = dict[str, Any]
Creation = dict[str, Any]


class Job(NamedTuple):
    """One image, and the work to do on it."""

    image: Image
    # The image's variables, checked.
    settings: Mapping[str, Any]
    # Variables of the inner run that nothing can override.
    pinned: Mapping[str, Any]
    create_only: bool
    check: bool
    diff: bool

    @property
    def place(self) -> Place:
        return Place(self.image.root, self.image.name)


class _Published(NamedTuple):
    """A generation that took the image's place."""

    id: str
    packages: list[dict[str, str]] | None
    # How many further changes of packages the record leaves out.
    omitted: int
    # Sentences about steps that the next run has to complete.
    notes: list[str]


class _Facts(NamedTuple):
    """The facts of a maintenance that ran to its end."""

    existed: bool
    # A sentence about the creation of the tree; empty for a tree that was copied.
    creation: str
    tasks_changed: int
    # Variables of the creation that have another value than when the tree was created.
    stale: list[str]
    # Whether the new tree differs from the published one; in check mode, whether a task would change something.
    changed: bool
    published: _Published | None
    # Hosts of the playbook's plays that were left out, since they do not match the image.
    skipped_plays: list[str]


def maintain(job: Job) -> Result:
    """Maintains the image. After a failure `result` and `msg` name the reason."""
    started, clock = record.now(), time.monotonic()
    try:
        result = _maintain(job)
    except (RunnerError, OSError) as problem:
        result = failed(problem, job.place)
        if not job.check:
            result = record_run(job.place, started, round(time.monotonic() - clock, 1), result)
    return result if job.check else _share(job, result)


def _share(job: Job, result: Result) -> Result:
    """Gives the image's group a copy of the record. An error is a warning, since the image is in order."""
    group = job.settings.get("nspawn_runner_state_group")
    try:
        if os.path.isdir(job.place.state):
            record.share(job.place, grp.getgrnam(group).gr_gid if group else None)
    except RunnerError as problem:
        return {**result, "warnings": [f"group {group} cannot read the record of image {job.image.name}: {problem}"]}
    return result


def failed(problem: RunnerError | OSError, place: Place | None = None) -> Result:
    """The result for an image with this error. `place`: for an OSError that names no file."""
    if isinstance(problem, OSError):
        problem = system_error(problem, path=place.state if place else "")
    return {"failed": True, "changed": False, "result": "busy" if isinstance(problem, Busy) else "failed", "msg": str(problem)}


def killed(job: Job, status: int, started: str, seconds: float) -> Result:
    """The result for an image after a maintenance without one, such as a killed process. Completes or removes the rest, and records the failure.

    `status`: exit status of the process, negative for a signal. `started`: its time as state.json writes it. `seconds`: its duration.
    """
    place = job.place
    found, remedy = f"the process that maintained this image ended with exit status {status}", ""
    if status < 0:
        found = f"the process that maintained this image was killed by signal {-status}"
    if status == -signal.SIGKILL:
        found, remedy = f"{found} (perhaps out of memory)", "see the kernel's messages (dmesg), and run fewer images at once (--forks)"
    result = failed(RunnerError(found, remedy))
    if os.path.isdir(place.state):
        try:
            make_state(place.root, place.image)
            with image_lock(place.state, "cleaning"):
                before = record.load(place).get("published", {}).get("id")
                recover(place)
                after = record.load(place).get("published", {}).get("id")
                if before != after:
                    result["msg"] += f"; the tree that the process was publishing is published as {after}"
                result["log"] = _log_path(job)
                if not job.check:
                    result = record_run(place, started, round(seconds, 1), result)
                    _log_failure(place, result)
        except (RunnerError, OSError) as problem:
            result["msg"] += f"; the next run removes the rest: {problem}"
    return result


def _maintain(job: Job) -> Result:
    image, place = job.image, job.place
    missing = not os.path.lexists(image.path)
    unchanged = {"changed": False, "result": "unchanged", "msg": f"{image.path} exists"}
    if job.create_only and not missing:
        return unchanged
    creation = _creation(job, missing)
    if job.check and creation:
        # Check mode makes no tree, so the playbook has nothing to run in.
        return _planned(creation, job, missing)
    make_state(image.root, image.name)
    with image_lock(place.state, "maintenance"):
        recover(place)
        if not job.check:
            record.save_unrecorded(place)
            record.keep_reserve(place)
        if missing and os.path.lexists(image.path):
            # Another run has created the tree since the first look.
            if job.create_only:
                return unchanged
            creation = None
        content = record.load(place)
        started, clock = record.now(), time.monotonic()
        if "hold" in content:
            result = _held(image, content, job.settings.get("nspawn_runner_hold_days"))
            return result if job.check else record_run(place, started, 0.0, result)
        with log_of(image.name, place.state) as log:
            if not job.check:
                # A record that cannot be written now fails the run later, if at all.
                with suppress(RunnerError):
                    record.heal_times(place, log)
            result = _logged(job, creation, content, log)
            if not job.check:
                result = record_run(place, started, round(time.monotonic() - clock, 1), result)
                if not result.get("failed"):
                    forget_failed(place, log)
                _log_failure(place, result)
                prune(place, job.settings["nspawn_runner_keep_generations"], job.settings["nspawn_runner_keep_days"], log)
            return result


def _creation(job: Job, missing: bool) -> Creation | None:
    """The parameters of the creation; None for a tree that is copied."""
    if not missing and (job.create_only or not job.settings["nspawn_runner_maint_recreate"]):
        return None
    options = creation_options(job.settings)
    if not any(source in options for source in SOURCES):
        names = " or ".join(CREATION[source] for source in SOURCES)
        reason = "is missing" if missing else "is to be created again"
        raise RunnerError(
            f"image {job.image.name} {reason}, and its playbook does not say how to create it", f"set {names} in the vars of {job.image.playbook}"
        )
    unset = dict.fromkeys(CREATION)
    return {**unset, **options, "name": job.image.name, "root": job.image.root, "state": "present", "recreate": not missing}


def _planned(creation: Creation, job: Job, missing: bool) -> Result:
    """The result of a creation in check mode."""
    plan = chroot.checked_plan(creation)
    description = chroot.describe(job.image.path, plan, not missing, True)
    display.display(f"{job.image.name} | {description['msg']}{_suite(creation, plan)}")
    result = {"changed": True, "result": "published", "created": missing, "msg": description["msg"]}
    return {**result, "diff": description["diff"]} if job.diff else result


def _suite(creation: Creation, plan: Mapping[str, Any]) -> str:
    return "" if plan["bootstrap"] in ("command", "tarball") else f" from suite {creation['suite']}"


def _held(image: Image, content: Mapping[str, Any], days: int | None) -> Result:
    """The result for an image on hold. `days`: after as many, the hold is a failure."""
    hold = content["hold"]
    age = record.age(hold["since"])
    release = f"ansible-playbook -i nspawn_runner.yml nspawn.runner.release --limit {image.name}"
    msg = f"rolled back to {hold['generation']} on {hold['since']}, and held there{f' for {age}' if age else ''} until its release: {release}"
    since = record.seconds(hold["since"])
    if days is not None and since is not None and time.time() - since >= days * _DAY:
        msg = f"the hold is older than {days} day{'s' * (days != 1)}, the value of nspawn_runner_hold_days: {msg}"
        return {"failed": True, "changed": False, "result": "failed", "msg": msg}
    return {"changed": False, "result": "held", "msg": msg}


def _logged(job: Job, creation: Creation | None, content: Mapping[str, Any], log: Log) -> Result:
    """Maintains the image, under its lock and with its log. A failure leaves the image as it was."""
    try:
        result = _describe(_on_stage(job, creation, content, log))
    except TimedOut:
        result = _failed_run(job, inner_run.timed_out(job.settings["nspawn_runner_timeout"], _log_path(job)))
    except inner_run.RunError as problem:
        result = _failed_run(job, problem)
    except (RunnerError, OSError) as problem:
        result = failed(problem, job.place)
    try:
        recover(job.place)
    except (RunnerError, OSError) as problem:
        log(f"the next run removes the rest of {job.place.state}: {problem}")
    # The summary shows the message of a failure.
    log(result["msg"], show=not result.get("failed"))
    return {**result, "log": _log_path(job)}


def _log_path(job: Job) -> str:
    return os.path.join(job.place.state, LOG_FILE)


def _failed_run(job: Job, problem: inner_run.RunError) -> Result:
    return {**failed(problem), "msg": problem.told(_kept(job)), "tasks_changed": problem.tasks_changed}


def _kept(job: Job) -> str:
    """Keeps the tree of a failed playbook if the image wants that, and says where."""
    if not job.settings["nspawn_runner_keep_failed"] or job.check:
        return ""
    try:
        return f"; the tree of this moment is kept in {keep_failed(job.place)}"
    except RunnerError as problem:
        return f"; the tree was not kept: {problem}"


def _on_stage(job: Job, creation: Creation | None, content: Mapping[str, Any], log: Log) -> _Facts:
    """Makes a staged tree, runs the playbook in it, and publishes it when it differs from the published tree. TimedOut, without a publish."""
    place = job.place
    # A publish has bounds of its own, and is never ended half-way.
    with deadline(job.settings["nspawn_runner_timeout"]):
        existed = os.path.lexists(place.path)
        # The first container of this maintenance is the one that tries a new tree.
        check_user_namespace(container_lines(job.settings), place.state)
        write_container_file(place.state, job.settings)
        # The next job has the new settings, whether a publish follows or not.
        if not job.check:
            write_job_file(place.state, job.settings)
        before = installed_packages(place.path) if existed else None
        sentence, copied = (_create(job, creation, existed, log), None) if creation else ("", stage_tree(place, log)[1])
        # A creation has done this already.
        cleaned = copied is not None and remove_devices(place.staged, log)
        needed = essentials(place.staged) | (essentials(place.path) & {DATABASE, INIT})
        tasks_changed, skipped_plays = _run_playbook(job, log)
        if not job.check:
            remove_machine_id(place.staged, place.path if existed else None, log)
        changed = tasks_changed > 0 if job.check else copied is None or cleaned or _differs(job, copied, log)
        if changed and not job.check and job.settings["nspawn_runner_check_tree"]:
            _check_tree(job, needed, tasks_changed, log)
    options = without_login(creation_options(job.settings))
    created_by = options if creation else content.get("published", {}).get("creation")
    stale = [variable for option, variable in CREATION.items() if created_by and created_by.get(option) != options.get(option)]
    published = _publish(job, before, tasks_changed, created_by) if changed and not job.check else None
    return _Facts(existed, sentence, tasks_changed, stale, changed, published, skipped_plays)


def _create(job: Job, creation: Creation, existed: bool, log: Log) -> str:
    """Creates the staged tree, by the seed of a first run that failed where there is one, and describes the creation."""
    place, plan = job.place, chroot.checked_plan(creation)
    # A bootstrap takes minutes. A playbook that cannot run in the new tree is refused before.
    inner_run.check_plays(job.image, context.CLIARGS, inner_run.inner_environment(_inner(job)), log)
    origin = chroot.origin(creation, plan, version())
    # Only an image without a tree needs a seed: any other one can be maintained on a copy of its tree meanwhile.
    made = None if job.settings["nspawn_runner_maint_recreate"] else seed.take(place, origin, log)
    if made:
        anew = "-e nspawn_runner_maint_recreate=true makes a new one"
        sentence = f"the seed of {made} is used again, made {chroot.by(plan)}{_suite(creation, plan)} ({anew})"
    else:
        chroot.build(creation, plan, place, log)
        sentence = chroot.describe(job.image.path, plan, existed, False)["msg"] + _suite(creation, plan)
        if not existed:
            seed.keep(place, origin, log)
    log(sentence)
    return sentence


def _run_playbook(job: Job, log: Log) -> inner_run.Outcome:
    """Runs the image's playbook on the staged tree. RunError when a part did not run."""
    image, place = job.image, job.place
    # Before the playbook starts containers in this tree, and again before jobs do.
    refuse_traps(place.staged)
    make_mount_points(place.staged, container_lines(job.settings))
    result_file = inner_result_path(place.state)
    with suppress(FileNotFoundError):
        os.unlink(result_file)
    errors: list[str] = []

    def line(data: bytes) -> None:
        log(data)
        # The lines after the first one name the file.
        if inner_run.is_error(data) if not errors else len(errors) < _ERROR_LINES and errors[-1]:
            errors.append(visible_line(data).strip())

    try:
        status = inner_run.run(inner_run.inner_argv(image, context.CLIARGS), inner_run.inner_environment(_inner(job)), line)
        outcome = inner_run.outcome(image, status, result_file, _log_path(job), errors)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(result_file)
    refuse_traps(place.staged)
    return outcome


def _inner(job: Job) -> Inner:
    return Inner(job.image.name, job.image.path, job.place.staged, inner_result_path(job.place.state), job.pinned)


def _differs(job: Job, copied: Moment, log: Log) -> bool:
    """Compares the staged tree with the published one, and removes it when both are the same."""
    place = job.place
    path = difference(place.staged, place.path, copied, [path.removeprefix("/") for path in job.settings["nspawn_runner_ignored_paths"]])
    if path is None:
        # Nothing of this tree has to survive a crash, so the removal need not wait for the disk.
        remove_tree(place.staged, wait=False)
        return False
    log(f"{visible(path)} differs")
    return True


def _check_tree(job: Job, needed: frozenset[str], tasks_changed: int, log: Log) -> None:
    """Refuses a staged tree in which no shell starts, or that has lost one of the needed essentials. RunError."""
    try:
        check_usable(job.place.staged, job.image.name, job.place.state)
        refuse_losses(needed, job.place.staged)
    except RunnerError as problem:
        for line in problem.output:
            log(line)
        remedy = problem.remedy or "correct the playbook, or set nspawn_runner_check_tree: false for an image that is to be so"
        raise inner_run.RunError(problem.found, remedy, log=_log_path(job), tasks_changed=tasks_changed) from problem


def _publish(job: Job, before: dict[str, str] | None, tasks_changed: int, created_by: Mapping[str, Any] | None) -> _Published:
    """Publishes the staged tree. `before`: packages of the published tree. `created_by`: options with which the tree was created."""
    packages = package_changes(before, installed_packages(job.place.staged))
    details: dict[str, Any] = {"playbook": job.image.playbook, "playbook_sha256": _checksum(job.image.playbook), "tasks_changed": tasks_changed}
    # The tree has just been compared or filled, so most of its directories are in memory.
    occupied = size(job.place.staged, _SIZE_TIME)
    if occupied is not None:
        details["size"] = occupied
    if packages is not None:
        details["packages"] = packages
    if created_by is not None:
        details["creation"] = created_by
    notes: list[str] = []
    generation = publish(job.place, details, notes.append)
    return _Published(generation["id"], generation.get("packages"), generation.get("packages_omitted", 0), notes)


def _describe(facts: _Facts) -> Result:
    """The facts as the action's result, with a sentence in `msg`."""
    parts = [facts.creation] if facts.creation else []
    parts.append(_counted(facts.tasks_changed, "task", "changed"))
    if facts.skipped_plays:
        parts.append(f"plays for other hosts were not run: {', '.join(facts.skipped_plays)}")
    if facts.stale:
        parts.append(f"{' and '.join(facts.stale)} changed since the tree was created: -e nspawn_runner_maint_recreate=true creates it again")
    result: Result = {
        "changed": facts.changed,
        "result": "published" if facts.changed else "unchanged",
        "created": not facts.existed,
        "tasks_changed": facts.tasks_changed,
        "creation_changed": facts.stale,
    }
    if facts.skipped_plays:
        result["skipped_plays"] = facts.skipped_plays
    if facts.published:
        result.update(packages=facts.published.packages, generation=facts.published.id)
        parts += [_counted(count, "package", word) for word, count in package_counts(facts.published.packages).items() if count]
        if facts.published.omitted:
            result["packages_omitted"] = facts.published.omitted
            parts.append(f"{facts.published.omitted} more packages changed")
        parts += [f"published as {facts.published.id}", *facts.published.notes]
    return {**result, "msg": "; ".join(parts)}


def record_run(place: Place, started: str, seconds: float, result: Result) -> Result:
    """Records the run in state.json. Returns the result with the number of failed runs in a row, or with a clause in `msg` when the next run has to
    record this one.

    An image that no maintenance has begun to work on has no state directory, and gets none for a run that was refused.
    """
    if not os.path.isdir(place.state):
        return result
    run = {"started": started, "seconds": seconds, "result": result["result"], "tasks_changed": result.get("tasks_changed", 0)}
    run.update({name: result[name] for name in ("packages", "packages_omitted", "skipped_plays") if result.get(name) is not None})
    run["msg"] = result["msg"]
    run.update({name: result[name] for name in ("log",) if name in result})
    try:
        # Nothing is written into a directory of other users, or by a link.
        make_state(place.root, place.image)
        entry = record.save_run(place, run, bool(result.get("failed")))
    except (RunnerError, OSError) as problem:
        record.keep_unrecorded(place, run)
        reason = system_error(problem, path=place.state) if isinstance(problem, OSError) else problem
        known = reason.found in result["msg"]
        return result if known else {**result, "msg": f"{result['msg']}; the next run records this, since {reason.found}"}
    return {**result, **{name: entry[name] for name in ("failed_runs",) if name in entry}, "since": entry["since"]}


def _log_failure(place: Place, result: Result) -> None:
    """Ends the log with the message of a failure, on a full disk in the room of the reserve."""
    if result.get("failed") and not append_to_log(place.state, result["msg"]) and record.give_up_reserve(place):
        append_to_log(place.state, result["msg"])


def _checksum(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _counted(count: int, noun: str, verb: str) -> str:
    return f"{count} {noun if count == 1 else f'{noun}s'} {verb}"

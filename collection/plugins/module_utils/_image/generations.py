# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: an image's published tree and its earlier ones. Names can change at any time.

from __future__ import annotations

import os
import time
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, ignore
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import remove_leftovers, trash_path
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._image.publish import retire, settle, swap
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

_DAY = 86400


def prune(place: Place, keep: int, days: int, log: Log) -> list[str]:
    """Removes the unused generations beyond the newest `keep` that were retired at least `days` days ago, and returns their ids.

    A tree is never removed by the run that retired it. The caller holds the image's lock. Errors are written to the log.
    """
    if files.exists(place.journal):
        # The record does not list the newest generation yet.
        log(f"old generations of image {place.image} are pruned by the next run, which first completes the record")
        return []
    removed = []
    try:
        names = record.directories(place)
        content = record.load(place)
        unknown = sorted(set(names) - {entry["id"] for entry in content["generations"]})
        if unknown:
            log(f"{place.generations} has entries without a record, which are left alone: {', '.join(unknown)}")
        for index, entry in enumerate([entry for entry in content["generations"] if entry["id"] in names]):
            complete = _completes_mounts(place, entry)
            if index < keep or _age(entry) < days:
                continue
            if not complete:
                log(f"generation {entry['id']} stays until the next maintenance: jobs can have been starting on it")
            elif _remove_generation(place, entry, log):
                removed.append(entry["id"])
        # Generations whose directory was removed by hand leave the record too.
        content["generations"] = [entry for entry in content["generations"] if entry["id"] in names and entry["id"] not in removed]
        if content["generations"] != record.load(place)["generations"]:
            record.save(place, content)
    except (OSError, RunnerError) as problem:
        log(f"old generations of image {place.image} were not pruned: {problem}")
    try:
        remove_leftovers(place.state)
    except RunnerError as problem:
        log(f"the next run removes the rest of an old generation of image {place.image}: {problem}")
    return removed


def _age(entry: dict[str, Any]) -> float:
    """Days since the tree was retired, 0 for a time in the future; infinite if the record has no time."""
    retired = record.seconds(entry.get("retired"))
    return float("inf") if retired is None else max(0.0, time.time() - retired) / _DAY


def _completes_mounts(place: Place, entry: dict[str, Any]) -> bool:
    """Whether the entry has all overlay mounts of the tree. The first call only marks the entry, the call of a later run completes its mounts.

    An overlay that was being mounted when the tree was replaced has its layers in this tree, and names the published one. It comes into the mount
    table at the end of mount(2), which a slow or frozen upper layer delays for any time.
    """
    if entry.get("mounts_complete") is False:
        entry["mounts"] = sorted({*entry.get("mounts", ()), *in_use.overlay_mounts(place.path)})
        entry["mounts_complete"] = True
    return bool(entry.setdefault("mounts_complete", False))


def _remove_generation(place: Place, entry: dict[str, Any], log: Log) -> bool:
    tree = os.path.join(place.generations, entry["id"])
    try:
        with in_use.unused(tree, entry.get("mounts") or (), place.path):
            files.clear_flags(tree)
            files.rename(tree, trash_path(place.state), files.NOREPLACE)
    except (OSError, RunnerError) as problem:
        log(f"generation {entry['id']} stays: {problem}")
        return False
    return True


def roll_back(place: Place, generation: str | None, check: bool = False, tell: Log = ignore) -> tuple[dict[str, Any], dict[str, Any]]:
    """Swaps an earlier tree for the published one, which becomes a generation, and holds the image at the earlier tree.

    `generation`: an id, or None for the tree before the published one. `check`: changes nothing. `tell`: see publish.
    Returns the records of the published tree before ({} if there was none) and after. Raises Busy or RunnerError.
    """
    if not check:
        settle(place)
    content, old = retire(place)
    present = record.load(place).get("published") if old else None
    if generation is not None and present and present["id"] == generation:
        _hold(place, generation, check)
        return present, present
    chosen = _chosen(place, content["generations"], generation, old)
    restored = {key: value for key, value in chosen.items() if key not in ("retired", "mounts", "mounts_complete")}
    content["generations"] = [entry for entry in content["generations"] if entry["id"] != chosen["id"]]
    content.update(published=restored, hold={"since": record.now(), "generation": chosen["id"]})
    if not check:
        swap(place, os.path.join(place.generations, chosen["id"]), content, old, tell)
    return old or {}, restored


def _chosen(place: Place, generations: list[dict[str, Any]], wanted: str | None, old: dict[str, Any] | None) -> dict[str, Any]:
    names = set(record.directories(place)) - {old["id"] if old else None}
    known = [entry for entry in generations if entry["id"] in names]
    remedy = f"choose one of {', '.join(entry['id'] for entry in known)}" if known else ""
    if wanted is None:
        earlier = [entry for entry in known if not old or entry["id"] < old["id"]]
        if not earlier:
            raise RunnerError(f"image {place.image} has no {'generation older than the published one' if old else 'earlier generation'}", remedy)
        # The newest id can be of a tree that was rolled back. The tree that was retired last is the one before the published tree.
        return max(earlier, key=lambda entry: (entry.get("retired", ""), entry["id"]))
    for entry in known:
        if entry["id"] == wanted:
            return entry
    raise RunnerError(f"image {place.image} has no generation '{wanted}'", remedy)


def _hold(place: Place, generation: str, check: bool) -> None:
    content = record.load(place)
    if not check and content.get("hold", {}).get("generation") != generation:
        content["hold"] = {"since": record.now(), "generation": generation}
        record.save(place, content)


def release(place: Place) -> bool:
    """Ends the hold of a rollback, so that the next maintenance works on the image; False if there was no hold. Raises RunnerError."""
    content = record.load(place)
    if content.pop("hold", None) is None:
        return False
    record.save(place, content)
    return True


def forget_failed(place: Place, log: Log) -> None:
    """Moves the tree that an earlier failure has kept to the trash, after a success. The caller holds the image's lock. Errors are written to the log."""
    if not files.exists(place.failed):
        return
    try:
        # A user may still have a shell in the tree.
        with in_use.unused(place.failed):
            files.clear_flags(place.failed)
            files.rename(place.failed, trash_path(place.state), files.NOREPLACE)
    except (OSError, RunnerError) as problem:
        log(f"the tree of an earlier failure stays: {problem}")


def keep_failed(place: Place) -> str:
    """Keeps the staged tree of a failed maintenance, instead of the one kept before, and returns the path. Raises Busy or RunnerError."""
    try:
        files.clear_flags(place.staged)
        if files.exists(place.failed):
            # A user may still have a shell in the tree of the failure before.
            with in_use.unused(place.failed):
                files.clear_flags(place.failed)
                files.rename(place.staged, place.failed, files.EXCHANGE)
            remove_tree(place.staged)
        else:
            files.rename(place.staged, place.failed, files.NOREPLACE)
        files.sync_directory(place.state)
    except OSError as exc:
        raise system_error(exc, f"{place.staged} cannot be kept as {place.failed}") from exc
    return place.failed

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: another tree takes an image's place, in one step, whatever happens meanwhile. Names can change at any time.

# At every instant the image's path is a whole tree. What else has to be done around the one step that changes it is in a journal on the disk,
# so that the next run can end what a killed run began, or forget it.

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, ignore
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import remove_leftovers, temporary_file
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use
from ansible_collections.nspawn.runner.plugins.module_utils._tree.quiet import quiet
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

_JOURNAL = {"source", "new", "old", "old_id", "content"}
# Bytes that a record can be longer than its journal, by the mounts that are found after the swap.
_GROWTH = 1 << 16


def publish(place: Place, details: dict[str, Any], tell: Log = ignore) -> dict[str, Any]:
    """Puts the staged tree at the image's place and returns its generation; the tree that was there becomes an earlier one.

    `tell` gets a sentence when all of that is so, but its record is still to be completed.
    """
    settle(place)
    with in_use.unused(place.staged):
        pass
    content, old = retire(place)
    now = old["retired"] if old else record.now()
    new = {"id": record.new_id(record.ids(place, content)), "published": now, **details}
    content["published"] = new
    content.pop("hold", None)
    swap(place, place.staged, content, old, tell)
    return new


def retire(place: Place) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The image's record as it is when its tree has left its place, and the generation that the tree is then; None without a tree."""
    content = record.load(place)
    published = content.pop("published", None)
    if files.identity(place.path) is None:
        return content, None
    # A tree that others made has no record.
    old = {**(published or {"id": record.new_id(record.ids(place, content))}), "retired": record.now()}
    content["generations"] = sorted([old, *content["generations"]], key=lambda entry: entry["id"], reverse=True)
    return content, old


def swap(place: Place, source: str, content: dict[str, Any], old: dict[str, Any] | None, tell: Log) -> None:
    """Renames the tree `source` to the image's place, makes the tree there the generation `old`, and saves the record."""
    try:
        for tree in (source, place.path) if old else (source,):
            files.clear_flags(tree)
        files.sync_file_system(source)
        with suppress(FileExistsError):
            os.mkdir(place.generations, 0o700)
        journal = {
            "format": record.FORMAT,
            "source": os.path.relpath(source, place.state),
            "new": files.identity(source),
            "old": files.identity(place.path) if old else None,
            "old_id": old["id"] if old else None,
            "content": content,
        }
        files.write_json(place.journal, journal)
    except OSError as exc:
        raise system_error(exc, f"{place.path} cannot be replaced by {source}") from exc
    try:
        with _room(place), quiet(place.path):
            files.rename(source, place.path, files.EXCHANGE if old else files.NOREPLACE)
    except BaseException:
        with suppress(OSError):
            files.remove_file(place.journal)
        raise
    try:
        _complete(place, journal)
    except (OSError, RunnerError) as problem:
        # The tree has its place, and the journal knows the rest: nothing has failed for who uses the image.
        reason = system_error(problem) if isinstance(problem, OSError) else problem
        tell(f"{place.state}: the next run completes the record of this: {reason}")


@contextmanager
def _room(place: Place) -> Iterator[None]:
    """Takes what the record needs of the disk before the swap, so that a full disk fails that instead of what has to follow it."""
    size = os.path.getsize(place.journal) + _GROWTH
    try:
        with temporary_file(place.state) as descriptor:
            with open(descriptor, "wb", closefd=False) as file:
                # Nothing that a file system would compress.
                file.write(os.urandom(size))
            os.fsync(descriptor)
            yield
    except OSError as exc:
        raise system_error(exc, f"{place.path} cannot be replaced", place.state) from exc


def recover(place: Place) -> None:
    """The first step of each run, under the image's lock: completes or undoes what a killed run left, and removes its remains."""
    settle(place)
    try:
        if files.exists(place.staged):
            remove_tree(place.staged)
    finally:
        # What was on its way out hinders nobody when it cannot be removed now.
        with suppress(RunnerError, OSError):
            remove_leftovers(place.state)


def settle(place: Place) -> None:
    """Completes a swap that took place, or forgets one that did not."""
    journal = record.read_json(place.journal)
    if journal is None:
        return
    if not isinstance(journal, dict) or journal.get("format") != record.FORMAT or not journal.keys() >= _JOURNAL:
        raise RunnerError(f"{place.journal} was not written by this version of nspawn.runner", "run the version that was used last")
    source = os.path.join(place.state, journal["source"])
    try:
        # The tree at the image's place may have been replaced by hand since: then the old one at the source tells.
        if journal["new"] == files.identity(place.path) or (journal["old"] and journal["old"] == files.identity(source)):
            _complete(place, journal)
        else:
            files.remove_file(place.journal)
    except OSError as exc:
        raise system_error(exc, f"the last swap of image {place.image} cannot be completed", place.state) from exc


def _complete(place: Place, journal: dict[str, Any]) -> None:
    """After the swap; it can be done again from the start at any time."""
    source = os.path.join(place.state, journal["source"])
    files.sync_directory(place.root)
    files.sync_directory(os.path.dirname(source))
    content = journal["content"]
    if journal["old"]:
        if files.identity(source) == journal["old"]:
            files.rename(source, os.path.join(place.generations, journal["old_id"]), files.NOREPLACE)
            files.sync_directory(os.path.dirname(source))
            files.sync_directory(place.generations)
        # Those mounts go on naming the image's place, where another tree is now.
        for entry in content["generations"]:
            if entry["id"] == journal["old_id"]:
                entry["mounts"] = in_use.overlay_mounts(place.path)
    record.save(place, content)
    files.remove_file(place.journal)

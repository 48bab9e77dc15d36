# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: another tree takes an image's place, in one step, whatever happens meanwhile. Names can change at any time.

# At every instant the image's path is a whole tree. What else has to be done around the one step that changes it is in a journal on the disk,
# so that the next run can end what a killed run began, or forget it.

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils import _in_use, _record, _remove, _swap
from ansible_collections.nspawn.runner.plugins.module_utils._quiet import quiet
from ansible_collections.nspawn.runner.plugins.module_utils._state import ChrootError, Place

_JOURNAL = {"source", "new", "old", "old_id", "content"}
# Bytes that a record can be longer than its journal, by the mounts that are found after the swap.
_GROWTH = 1 << 16

Tell = Callable[[str], Any]


def publish(place: Place, record: dict[str, Any], tell: Tell = lambda line: None) -> dict[str, Any]:
    """Puts the staged tree at the image's place and returns its generation; the tree that was there becomes an earlier one.

    `tell` gets a sentence when all of that is so, but its record is still to be completed.
    """
    settle(place)
    with _in_use.unused(place.staged):
        pass
    content, old = retire(place)
    now = old["retired"] if old else _record.now()
    new = {"id": _record.new_id(_record.ids(place, content)), "published": now, **record}
    content["published"] = new
    content.pop("hold", None)
    swap(place, place.staged, content, old, tell)
    return new


def retire(place: Place) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The image's record as it is when its tree has left its place, and the generation that the tree is then; None without a tree."""
    content = _record.load(place)
    published = content.pop("published", None)
    if _swap.identity(place.path) is None:
        return content, None
    # A tree that others made has no record.
    old = {**(published or {"id": _record.new_id(_record.ids(place, content))}), "retired": _record.now()}
    content["generations"] = sorted([old, *content["generations"]], key=lambda entry: entry["id"], reverse=True)
    return content, old


def swap(place: Place, source: str, content: dict[str, Any], old: dict[str, Any] | None, tell: Tell) -> None:
    """Renames the tree `source` to the image's place, makes the tree there the generation `old`, and saves the record."""
    try:
        for tree in (source, place.path) if old else (source,):
            _swap.clear_flags(tree)
        _swap.sync_file_system(source)
        with suppress(FileExistsError):
            os.mkdir(place.generations, 0o700)
        journal = {
            "format": _record.FORMAT,
            "source": os.path.relpath(source, place.state),
            "new": _swap.identity(source),
            "old": _swap.identity(place.path) if old else None,
            "old_id": old["id"] if old else None,
            "content": content,
        }
        _swap.write_json(place.journal, journal)
    except OSError as exc:
        raise ChrootError(f"{place.path} cannot be replaced by {source}: {exc.strerror}") from exc
    try:
        with _room(place), quiet(place.path):
            _swap.rename(source, place.path, _swap.EXCHANGE if old else _swap.NOREPLACE)
    except BaseException:
        with suppress(OSError):
            _swap.remove_file(place.journal)
        raise
    try:
        _complete(place, journal)
    except (OSError, ChrootError) as problem:
        # The tree has its place, and the journal knows the rest: nothing has failed for who uses the image.
        reason = problem.strerror if isinstance(problem, OSError) else problem
        tell(f"{place.state}: the next run completes the record of this: {reason}")


@contextmanager
def _room(place: Place) -> Iterator[None]:
    """Takes what the record needs of the disk before the swap, so that a full disk fails that instead of what has to follow it."""
    size = os.path.getsize(place.journal) + _GROWTH
    try:
        # A name that the next run removes when this one is killed.
        descriptor, path = tempfile.mkstemp(prefix="trash-", dir=place.state)
        try:
            with open(descriptor, "wb") as file:
                # Nothing that a file system would compress.
                file.write(os.urandom(size))
                file.flush()
                os.fsync(descriptor)
            yield
        finally:
            with suppress(OSError):
                os.unlink(path)
    except OSError as exc:
        raise ChrootError(f"{place.path} cannot be replaced: {exc.strerror}: {place.state}") from exc


def recover(place: Place) -> None:
    """The first step of each run, under the image's lock: completes or undoes what a killed run left, and removes its remains."""
    settle(place)
    try:
        if _swap.exists(place.staged):
            _remove.tree(place.staged)
    finally:
        # What was on its way out hinders nobody when it cannot be removed now.
        with suppress(ChrootError, OSError):
            _swap.remove_parts(place.state)
            _remove.leftovers(place.state)


def settle(place: Place) -> None:
    """Completes a swap that took place, or forgets one that did not."""
    journal = _record.read_json(place.journal)
    if journal is None:
        return
    if not isinstance(journal, dict) or journal.get("format") != _record.FORMAT or not journal.keys() >= _JOURNAL:
        raise ChrootError(f"{place.journal} was not written by this version of nspawn.runner: run the version that was used last")
    source = os.path.join(place.state, journal["source"])
    try:
        # The tree at the image's place may have been replaced by hand since: then the old one at the source tells.
        if journal["new"] == _swap.identity(place.path) or (journal["old"] and journal["old"] == _swap.identity(source)):
            _complete(place, journal)
        else:
            _swap.remove_file(place.journal)
    except OSError as exc:
        raise ChrootError(f"what a run of image {place.image} left in {place.state} cannot be completed: {exc.strerror}") from exc


def _complete(place: Place, journal: dict[str, Any]) -> None:
    """After the swap; it can be done again from the start at any time."""
    source = os.path.join(place.state, journal["source"])
    _swap.sync_directory(place.root)
    _swap.sync_directory(os.path.dirname(source))
    content = journal["content"]
    if journal["old"]:
        if _swap.identity(source) == journal["old"]:
            _swap.rename(source, os.path.join(place.generations, journal["old_id"]), _swap.NOREPLACE)
            _swap.sync_directory(os.path.dirname(source))
            _swap.sync_directory(place.generations)
        # Those mounts go on naming the image's place, where another tree is now.
        for entry in content["generations"]:
            if entry["id"] == journal["old_id"]:
                entry["mounts"] = _in_use.overlay_mounts(place.path)
    _record.save(place, content)
    _swap.remove_file(place.journal)

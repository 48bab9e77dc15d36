# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the swap of an image's tree for another one, in one step that survives crashes. Names can change at any time.

# At every instant the image's path is a whole tree: one rename exchanges the trees. A journal on the disk lists the steps after the rename,
# so that the next run completes them after a crash. Without the rename, the next run removes the journal.

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
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GENERATIONS_DIRECTORY, STAGED_DIRECTORY
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use
from ansible_collections.nspawn.runner.plugins.module_utils._tree.quiet import quiet
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

_JOURNAL = {"source", "new", "old", "old_id", "content"}
# Bytes by which a record can be longer than the journal: the mounts of the retired tree are added after the swap.
_GROWTH = 1 << 16


def publish(place: Place, details: dict[str, Any], tell: Log = ignore) -> dict[str, Any]:
    """Swaps the staged tree for the published one, which becomes a generation, and returns the record of the new tree.

    `details`: further fields of this record. `tell` is called when the swap succeeded but state.json could not be written.
    Raises Busy or RunnerError, without a swap.
    """
    settle(place)
    with in_use.unused(place.staged):
        pass
    content, old = retire(place)
    published = old["retired"] if old else record.now()
    new = {"id": record.new_id(record.ids(place, content)), "published": published, **details}
    content["published"] = new
    content.pop("hold", None)
    swap(place, place.staged, content, old, tell)
    return record.bounded(content)["published"]


def retire(place: Place) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The image's record with the published tree moved to the generations, and the entry of this generation; None without a tree.

    Writes nothing.
    """
    content = record.load(place)
    published = content.pop("published", None)
    if files.identity(place.path) is None:
        return content, None
    # A tree that the collection did not publish has no entry.
    old = {**(published or {"id": record.new_id(record.ids(place, content))}), "retired": record.now()}
    content["generations"] = sorted([old, *content["generations"]], key=lambda entry: entry["id"], reverse=True)
    return content, old


def swap(place: Place, source: str, content: dict[str, Any], old: dict[str, Any] | None, tell: Log) -> None:
    """Renames the tree `source` to the image's path, makes the tree at this path the generation `old`, and saves the record.

    `content`: the record after the swap. `tell`: see publish. Raises Busy or RunnerError, without a swap.
    """
    taken = os.path.join(place.generations, old["id"]) if old else ""
    if taken and files.exists(taken):
        # After the swap, the old tree would have no place.
        raise RunnerError(f"{taken} exists, and the published tree of image {place.image} has the same id", "move that directory away")
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
            "content": record.bounded(content),
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
        # The swap succeeded, and the journal has the remaining steps: for the image's users nothing has failed.
        reason = system_error(problem) if isinstance(problem, OSError) else problem
        tell(f"the next run completes the record in {place.state}: {reason}")


@contextmanager
def _room(place: Place) -> Iterator[None]:
    """Reserves the disk space of the record, so that a full disk fails before the swap and not after it."""
    size = os.path.getsize(place.journal) + _GROWTH
    try:
        with temporary_file(place.state) as descriptor:
            with open(descriptor, "wb", closefd=False) as file:
                # Random bytes, which no file system compresses.
                file.write(os.urandom(size))
            os.fsync(descriptor)
            yield
    except OSError as exc:
        raise system_error(exc, f"{place.path} cannot be replaced", place.state) from exc


def recover(place: Place) -> None:
    """Completes or forgets the swap of a killed run, and removes the staged tree and other temporary entries.

    Each run begins with this. The caller holds the image's lock. Raises RunnerError.
    """
    settle(place)
    try:
        if files.exists(place.staged):
            remove_tree(place.staged)
    finally:
        # Entries that cannot be removed now do not disturb the run: the next run tries again.
        with suppress(RunnerError, OSError):
            remove_leftovers(place.state)


def settle(place: Place) -> None:
    """Completes a swap if the rename took place, or else removes the journal. Raises RunnerError."""
    # The tree in the staged tree's place can be the one that was published before, and in use.
    remedy = f"move it away, and {place.staged} too if that exists: {place.path} is a whole tree"
    try:
        journal = record.read_json(place.journal)
    except RunnerError as problem:
        raise RunnerError(problem.found, remedy) from problem
    if journal is None:
        return
    if not isinstance(journal, dict) or journal.get("format") != record.FORMAT or not journal.keys() >= _JOURNAL:
        raise RunnerError(f"{place.journal} was not written by this version of nspawn.runner", "run the version that was used last")
    if not _is_journal(journal, place):
        raise RunnerError(f"{place.journal} is damaged", remedy)
    source = os.path.join(place.state, journal["source"])
    try:
        # If a user replaced the tree at the image's path since, the old tree at the source proves the swap.
        if journal["new"] == files.identity(place.path) or (journal["old"] and journal["old"] == files.identity(source)):
            _complete(place, journal)
        else:
            files.remove_file(place.journal)
    except OSError as exc:
        raise system_error(exc, f"the last swap of image {place.image} cannot be completed", place.state) from exc


def _is_journal(journal: dict[str, Any], place: Place) -> bool:
    """Whether the values of a journal have their types. `source` leads to a tree in the state directory, and nowhere else."""
    source, old, old_id = journal["source"], journal["old"], journal["old_id"]
    if not isinstance(source, str) or (source != STAGED_DIRECTORY and not record.is_id(source.removeprefix(f"{GENERATIONS_DIRECTORY}/"))):
        return False
    if not _is_identity(journal["new"]) or (old is not None and not _is_identity(old)):
        return False
    if old is not None and not (isinstance(old_id, str) and record.is_id(old_id)):
        return False
    return record.problem(journal["content"], place) is None


def _is_identity(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(number, int) and not isinstance(number, bool) for number in value)


def _complete(place: Place, journal: dict[str, Any]) -> None:
    """The steps after the rename. They can be repeated from the start after a crash at any point."""
    source = os.path.join(place.state, journal["source"])
    files.sync_directory(place.root)
    files.sync_directory(os.path.dirname(source))
    content = journal["content"]
    if journal["old"]:
        if files.identity(source) == journal["old"]:
            files.rename(source, os.path.join(place.generations, journal["old_id"]), files.NOREPLACE)
            files.sync_directory(os.path.dirname(source))
            files.sync_directory(place.generations)
        # These overlay mounts still name the image's path, and use the retired tree.
        for entry in content["generations"]:
            if entry["id"] == journal["old_id"]:
                entry["mounts"] = in_use.overlay_mounts(place.path)
    record.save(place, content)
    files.remove_file(place.journal)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the tree of a creation before its playbook ran, so that a playbook that fails costs no second bootstrap. Names can change at any time.

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log
from ansible_collections.nspawn.runner.plugins.module_utils._image import record, stage
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import trash_path
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

FORMAT = 1
# An older seed lacks many upgrades of its archive, some of them for security.
_DAYS = 7


def keep(place: Place, origin: Mapping[str, Any], log: Log) -> None:
    """Keeps a copy of the new staged tree as the seed of the image, which has no tree yet. Without room for the copy there is no seed.

    `origin`: options, programs and files that the tree was made from, as JSON values by name. The caller holds the image's lock.
    """
    forget(place)
    copy = trash_path(place.state)
    try:
        stage.copy_tree(place.staged, copy)
        # After a power cut, seed.json proves a whole tree.
        files.sync_file_system(copy)
        files.rename(copy, place.seed, files.NOREPLACE)
        seed = {"format": FORMAT, "made": record.now(), "tree": files.identity(place.seed), "origin": dict(origin)}
        files.write_json(_path(place), seed)
    except (OSError, RunnerError) as problem:
        log(f"no seed of image {place.image} is kept: {problem}")
        forget(place)


def take(place: Place, origin: Mapping[str, Any], log: Log) -> str | None:
    """Makes the staged tree from the seed, and returns the time at which the seed was made; None without a seed of this origin.

    `origin`: as for `keep`. The caller holds the image's lock. Raises OSError or RunnerError.
    """
    try:
        seed = record.read_json(_path(place))
    except RunnerError as problem:
        log(str(problem))
        seed = {}
    if seed is None:
        return None
    reason = _obstacle(place, seed, origin)
    if reason:
        log(f"the seed of image {place.image} is not used: {reason}")
        forget(place)
        return None
    try:
        stage.copy_tree(place.seed, place.staged)
    except RunnerError as problem:
        log(f"the seed of image {place.image} itself is used, since a copy is not possible: {problem}")
        files.rename(place.seed, place.staged, files.NOREPLACE)
        forget(place)
    return seed["made"]


def _obstacle(place: Place, seed: Any, origin: Mapping[str, Any]) -> str:
    """The reason why the seed cannot be used; empty if it can."""
    if not isinstance(seed, dict) or seed.get("format") != FORMAT or not isinstance(seed.get("origin"), dict):
        return f"{_path(place)} was not written by this version of nspawn.runner"
    made = record.seconds(seed.get("made"))
    if made is None or seed.get("tree") is None or seed["tree"] != files.identity(place.seed):
        return f"{_path(place)} is not about the tree {place.seed}"
    if not 0 <= time.time() - made <= _DAYS * 86400:
        return f"its time is {seed['made']}, and a seed is used for {_DAYS} days"
    names = sorted({name for name in [*seed["origin"], *origin] if seed["origin"].get(name) != origin.get(name)})
    return f"{', '.join(names)} changed since {seed['made']}" if names else ""


def forget(place: Place) -> None:
    """Removes the seed if there is one. Raises RunnerError."""
    try:
        files.remove_file(_path(place))
        if files.exists(place.seed):
            remove_tree(place.seed, wait=False)
    except OSError as exc:
        raise system_error(exc, f"{place.seed} cannot be removed") from exc


def _path(place: Place) -> str:
    return os.path.join(place.state, layout.SEED_FILE)

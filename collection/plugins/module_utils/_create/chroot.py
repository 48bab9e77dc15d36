# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: one tree present or absent. Names can change at any time.

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils import _bootstrap, _finish, _generations, _in_use, _record, _remove, _stage, _state, _swap
from ansible_collections.nspawn.runner.plugins.module_utils._layout import ROOT, STATE_FILE
from ansible_collections.nspawn.runner.plugins.module_utils._state import Busy, ChrootError, Place

__all__ = ["Busy", "ChrootError", "absent", "build", "checked_plan", "new_tree_path", "plan", "present", "told"]

Log = Callable[[str], object]

plan = _bootstrap.plan


def new_tree_path(root: str, name: str) -> str:
    """The directory that a creation fills."""
    return Place(os.path.normpath(root), name).staged


def present(params: dict[str, Any], log: Log, check: bool) -> dict[str, Any]:
    """Makes the tree when it is missing, or anew with `recreate`."""
    place = _where(params)
    path = place.path
    exists = _exists(path)
    if exists and not params.get("recreate"):
        _clean_idle(place, check)
        return {"changed": False, "path": path, "msg": f"{path} exists"}
    planned = checked_plan(params)
    with ExitStack() as stack:
        if not check:
            # First, as of two runs that look at once whether the tree is in use each would find the other.
            stack.enter_context(_state.lock(_state.make_state(place.root, place.image), "creation"))
            _generations.recover(place)
            # Another run may have made it since.
            if _exists(path) and not exists:
                return {"changed": False, "path": path, "msg": f"{path} exists"}
        if exists:
            with _in_use.unused(path):
                pass
        if not check:
            _create(params, planned, place, log)
    return {"changed": True, "path": path, "bootstrap": planned["bootstrap"], **told(path, planned, exists, check)}


def told(path: str, planned: dict[str, Any], exists: bool, check: bool) -> dict[str, Any]:
    """What the creation did, or would do, as `msg` and `diff`."""
    made = f"{'would be' if check else 'was'} made{' anew' if exists else ''} {_by(planned)}"
    before, after = {"state": "present" if exists else "absent"}, {"state": "present anew" if exists else "present", **planned}
    return {"msg": f"{path} {made}", "diff": _diff(path, before, after)}


def checked_plan(params: dict[str, Any]) -> dict[str, Any]:
    """How the tree is made, after all checks that need no tree."""
    planned = plan(params)
    if not _bootstrap.program("systemd-nspawn"):
        raise ChrootError("systemd-nspawn is not installed: run apt install systemd-container")
    if planned["bootstrap"] == "tarball":
        _bootstrap.check_archive(params)
    return planned


def _by(planned: dict[str, Any]) -> str:
    if planned["bootstrap"] == "tarball":
        return f"from {planned['tarball']}"
    return f"by {planned['command'][0]}" if planned["bootstrap"] == "command" else f"by {planned['bootstrap']}"


def absent(params: dict[str, Any], log: Log, check: bool) -> dict[str, Any]:
    """Removes the tree with its earlier generations, and what creations of it left."""
    place = _where(params)
    path = place.path
    if not _trees(place):
        _clean_idle(place, check)
        return {"changed": False, "path": path, "msg": f"{path} does not exist"}
    if check:
        with _all_unused(place):
            pass
    else:
        state = _state.make_state(place.root, place.image)
        with _state.lock(state, "removal"):
            _generations.recover(place)
            trash = os.path.join(state, f"trash-{secrets.token_hex(4)}")
            os.mkdir(trash, 0o700)
            with _all_unused(place):
                for tree in _trees(place):
                    _swap.clear_flags(tree)
                    _swap.rename(tree, os.path.join(trash, f"{len(os.listdir(trash))}"), _swap.NOREPLACE)
                _swap.remove_file(os.path.join(state, STATE_FILE))
            if _swap.exists(place.generations):
                os.rmdir(place.generations)
            _remove.tree(trash)
    msg = f"{path} {'would be' if check else 'was'} removed"
    return {"changed": True, "path": path, "msg": msg, "diff": _diff(path, {"state": "present"}, {"state": "absent"})}


def _trees(place: Place) -> list[str]:
    """All trees of an image that are there, the published one first."""
    earlier = [os.path.join(place.generations, name) for name in _record.directories(place)]
    return [tree for tree in (place.path, *earlier, place.failed) if _exists(tree)]


def _all_unused(place: Place) -> ExitStack:
    content = _generations.load(place)
    overlays = {entry["id"]: entry.get("mounts") or () for entry in content["generations"]}
    with ExitStack() as stack:
        for tree in _trees(place):
            stack.enter_context(_in_use.unused(tree, overlays.get(os.path.basename(tree), ()), place.path))
        return stack.pop_all()


def _where(params: dict[str, Any]) -> Place:
    name, root = params["name"], os.path.normpath(params.get("root") or ROOT)
    problem = _state.name_problem(name)
    if problem:
        raise ChrootError(f"'{name}' cannot be an image: {problem}")
    if os.geteuid() != 0:
        raise ChrootError("trees are made and removed by root: use become, or run Ansible as root")
    _state.check_root(root)
    return Place(root, name)


def _exists(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        raise ChrootError(f"{path} is a symbolic link, and a tree is a directory: remove the link")
    if not stat.S_ISDIR(mode):
        raise ChrootError(f"{path} is not a directory: remove it, or choose another name")
    return True


def _diff(path: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {"before": before, "after": after, "before_header": path, "after_header": path}


def _clean_idle(place: Place, check: bool) -> None:
    """Removes what a killed run left, unless another run is at work on the image."""
    if check or not (_remove.has_leftovers(place.state) or _swap.exists(place.journal)):
        return
    try:
        with _state.lock(_state.make_state(place.root, place.image), "cleaning"):
            _generations.recover(place)
    except Busy:
        pass


def _create(params: dict[str, Any], planned: dict[str, Any], place: Place, log: Log) -> None:
    try:
        build(params, planned, place, log)
        _swap.sync_file_system(place.staged)
        _put(place)
    except OSError as exc:
        what = f": {exc.filename}" if exc.filename else ""
        raise ChrootError(f"{place.path} cannot be made: {exc.strerror}{what}") from exc
    finally:
        # After a failure what was built, after an exchange the old tree.
        _generations.recover(place)


def build(params: dict[str, Any], planned: dict[str, Any], place: Place, log: Log) -> None:
    """Fills the staged tree from nothing; the caller has the lock, and removes what a failure leaves."""
    _stage.make_directory(place.staged)
    leftovers = _bootstrap.fill(place.staged, place.state, params, planned, log)
    _finish.finish(place.staged, leftovers)
    _finish.check_usable(place.staged, place.image)


def _put(place: Place) -> None:
    """The new tree takes its place; of one that was there nothing is kept."""
    _forget_published(place)
    if not _exists(place.path):
        _swap.rename(place.staged, place.path, _swap.NOREPLACE)
        return
    with _in_use.unused(place.path):
        _swap.clear_flags(place.path)
        _swap.rename(place.staged, place.path, _swap.EXCHANGE)


def _forget_published(place: Place) -> None:
    """What the image's record says of its tree will not be true of the new one."""
    content = _generations.load(place)
    if content.pop("published", None) or content.pop("hold", None):
        content.pop("hold", None)
        _generations.save(place, content)

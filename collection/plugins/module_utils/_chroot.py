# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: one tree present or absent. Names can change at any time.

from __future__ import annotations

import ctypes
import os
import secrets
import stat
from collections.abc import Callable
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils import _bootstrap, _finish, _in_use, _remove, _state
from ansible_collections.nspawn.runner.plugins.module_utils._guard import run
from ansible_collections.nspawn.runner.plugins.module_utils._layout import ROOT
from ansible_collections.nspawn.runner.plugins.module_utils._state import Busy, ChrootError

__all__ = ["Busy", "ChrootError", "absent", "new_tree_path", "plan", "present"]

Log = Callable[[str], None]

plan = _bootstrap.plan
_AT_FDCWD = -100
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2


def new_tree_path(root: str, name: str) -> str:
    """The directory that a creation fills."""
    return os.path.join(_state.state_path(os.path.normpath(root), name), "new")


def present(params: dict[str, Any], log: Log, check: bool) -> dict[str, Any]:
    """Makes the tree when it is missing, or anew with `recreate`."""
    root, name, path = _where(params)
    exists = _exists(path)
    if exists and not params.get("recreate"):
        _clean_idle(root, name, check)
        return {"changed": False, "path": path, "msg": f"{path} exists"}
    planned = plan(params)
    if not _bootstrap.program("systemd-nspawn"):
        raise ChrootError("systemd-nspawn is not installed: run apt install systemd-container")
    if planned["bootstrap"] == "tarball":
        _bootstrap.check_archive(params)
    if exists:
        with _in_use.unused(path):
            pass
    if not check:
        state = _state.make_state(root, name)
        with _state.lock(state, "creation"):
            _remove.leftovers(state)
            # Another run may have made it since.
            if _exists(path) and not exists:
                return {"changed": False, "path": path, "msg": f"{path} exists"}
            _create(params, planned, state, path, log)
    made = f"{'would be' if check else 'was'} made{' anew' if exists else ''} {_by(planned)}"
    return {
        "changed": True,
        "path": path,
        "bootstrap": planned["bootstrap"],
        "msg": f"{path} {made}",
        "diff": _diff(path, {"state": "present" if exists else "absent"}, {"state": "present anew" if exists else "present", **planned}),
    }


def _by(planned: dict[str, Any]) -> str:
    if planned["bootstrap"] == "tarball":
        return f"from {planned['tarball']}"
    return f"by {planned['command'][0]}" if planned["bootstrap"] == "command" else f"by {planned['bootstrap']}"


def absent(params: dict[str, Any], log: Log, check: bool) -> dict[str, Any]:
    """Removes the tree, and what creations of it left."""
    root, name, path = _where(params)
    if not _exists(path):
        _clean_idle(root, name, check)
        return {"changed": False, "path": path, "msg": f"{path} does not exist"}
    if check:
        with _in_use.unused(path):
            pass
    else:
        state = _state.make_state(root, name)
        with _state.lock(state, "removal"):
            _remove.leftovers(state)
            trash = os.path.join(state, f"trash-{secrets.token_hex(4)}")
            with _in_use.unused(path):
                _rename(path, trash, _RENAME_NOREPLACE)
            _remove.tree(trash)
    msg = f"{path} {'would be' if check else 'was'} removed"
    return {"changed": True, "path": path, "msg": msg, "diff": _diff(path, {"state": "present"}, {"state": "absent"})}


def _where(params: dict[str, Any]) -> tuple[str, str, str]:
    name, root = params["name"], os.path.normpath(params.get("root") or ROOT)
    problem = _state.name_problem(name)
    if problem:
        raise ChrootError(f"'{name}' cannot be an image: {problem}")
    if os.geteuid() != 0:
        raise ChrootError("trees are made and removed by root: use become, or run Ansible as root")
    _state.check_root(root)
    return root, name, os.path.join(root, name)


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


def _clean_idle(root: str, name: str, check: bool) -> None:
    """Removes what a killed run left, unless another run is at work on the image."""
    state = _state.state_path(root, name)
    if check or not _remove.has_leftovers(state):
        return
    try:
        with _state.lock(_state.make_state(root, name), "cleaning"):
            _remove.leftovers(state)
    except Busy:
        pass


def _create(params: dict[str, Any], planned: dict[str, Any], state: str, path: str, log: Log) -> None:
    new = os.path.join(state, "new")
    try:
        _make_directory(new)
        leftovers = _bootstrap.fill(new, state, params, planned, log)
        _finish.finish(new, leftovers)
        _finish.check_usable(new, params["name"])
        _sync(new)
        if _exists(path):
            with _in_use.unused(path):
                _rename(new, path, _RENAME_EXCHANGE)
        else:
            _rename(new, path, _RENAME_NOREPLACE)
    except OSError as exc:
        what = f": {exc.filename}" if exc.filename else ""
        raise ChrootError(f"{path} cannot be made: {exc.strerror}{what}") from exc
    finally:
        # After a failure what was built, after an exchange the old tree.
        _remove.leftovers(state)


def _make_directory(new: str) -> None:
    if not _remove.is_btrfs(os.path.dirname(new)) or not _bootstrap.program("btrfs"):
        os.mkdir(new)
    else:
        status, tail = run(["btrfs", "subvolume", "create", new], lambda line: None)
        if status != 0:
            raise ChrootError(f"btrfs cannot make the subvolume {new}:\n" + "\n".join(tail))
    os.chmod(new, 0o755)


def _sync(new: str) -> None:
    status, tail = run(["sync", "--file-system", new], lambda line: None)
    if status != 0:
        raise ChrootError(f"{new} cannot be written to the disk:\n" + "\n".join(tail))


def _rename(source: str, target: str, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) != 0:
        number = ctypes.get_errno()
        raise ChrootError(f"{source} cannot be renamed to {target}: {os.strerror(number)}")

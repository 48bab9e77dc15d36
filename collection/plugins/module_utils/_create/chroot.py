# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: creation and removal of an image's tree. Names can change at any time.

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import ExitStack, suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._create import bootstrap
from ansible_collections.nspawn.runner.plugins.module_utils._create.finish import finish_tree
from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import secrets_of, without_login
from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, find_program
from ansible_collections.nspawn.runner.plugins.module_utils._image import record, stage
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import has_leftovers, remove_entry, trash_path
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, check_root, make_state, name_problem
from ansible_collections.nspawn.runner.plugins.module_utils._image.publish import recover
from ansible_collections.nspawn.runner.plugins.module_utils._session.lock import LOCK_FILE, image_lock
from ansible_collections.nspawn.runner.plugins.module_utils._spec.bootstrap_tools import BOOTSTRAP_TOOLS
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import ROOT, STATE_FILE
from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import CREATION
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use
from ansible_collections.nspawn.runner.plugins.module_utils._tree.usable import check_usable


def present(params: dict[str, Any], log: Log, check: bool) -> dict[str, Any]:
    """Makes the tree if it is missing, or again with `recreate`, and returns the module's result. Raises Busy or RunnerError.

    `params`: the options of nspawn.runner.chroot. `log`: gets the output of the bootstrap tool. `check`: changes nothing.
    """
    place = _place(params)
    path = place.path
    exists = _exists(path)
    if exists and not params.get("recreate"):
        _clean_idle(place, check)
        return {"changed": False, "path": path, "msg": f"{path} exists"}
    planned = checked_plan(params)
    with ExitStack() as stack:
        if not check:
            # Lock first: two runs that test the tree at the same time would each see the other's test as a user.
            stack.enter_context(image_lock(make_state(place.root, place.image), "creation"))
            recover(place)
            # Another run may have made the tree since the test above.
            if _exists(path) and not exists:
                return {"changed": False, "path": path, "msg": f"{path} exists"}
        if exists:
            with in_use.unused(path):
                pass
        if not check:
            _create(params, planned, place, log)
    return {"changed": True, "path": path, "bootstrap": planned["bootstrap"], **describe(path, planned, exists, check)}


def describe(path: str, planned: dict[str, Any], exists: bool, check: bool) -> dict[str, Any]:
    """`msg` and `diff` of a creation, or of a planned one (`check`). `exists`: the tree existed before."""
    before, after = {"state": "present" if exists else "absent"}, {"state": "present, made again" if exists else "present", **planned}
    msg = f"{path} {'would be' if check else 'was'} made{' again' if exists else ''} {by(planned)}"
    return {"msg": msg, "diff": _diff(path, before, after)}


def checked_plan(params: dict[str, Any]) -> dict[str, Any]:
    """As bootstrap.plan, after all checks that need no tree: the host's systemd-nspawn and the archive. Raises RunnerError."""
    planned = bootstrap.plan(params)
    if not find_program("systemd-nspawn"):
        raise RunnerError("systemd-nspawn is not installed", "run apt install systemd-container")
    if planned["bootstrap"] == "tarball":
        bootstrap.check_archive(params)
    return planned


def origin(params: dict[str, Any], planned: dict[str, Any], version: str) -> dict[str, Any]:
    """The sources of a tree, as JSON values by names for people: while all are the same, two creations need not be told apart.

    `params`: the options of nspawn.runner.chroot. `planned`: the result of `checked_plan`. `version`: of the collection. A login stays secret.
    """
    shown = without_login(params)
    made_from: dict[str, Any] = {variable: shown[option] for option, variable in CREATION.items() if shown.get(option) is not None}
    if secrets := secrets_of(params):
        made_from["the logins of the mirrors"] = hashlib.sha256("\n".join(sorted(secrets)).encode()).hexdigest()
    program = next((tool["program"] for tool in BOOTSTRAP_TOOLS if tool["name"] == planned["bootstrap"]), None)
    words = [program or "", *planned.get("command", ()), planned.get("tarball") or "", params.get("keyring") or ""]
    for path in [find_program(word) or word for word in words if word]:
        with suppress(OSError, ValueError):
            status = os.stat(path if os.path.isabs(path) else "")
            # Another version of a program, script or archive has another time.
            made_from[path] = [status.st_size, status.st_mtime_ns]
    return {**made_from, "the method": planned["bootstrap"], "the version of nspawn.runner": version}


def by(planned: dict[str, Any]) -> str:
    """The method of a planned creation, for a sentence."""
    if planned["bootstrap"] == "tarball":
        return f"from {planned['tarball']}"
    return f"by {planned['command'][0]}" if planned["bootstrap"] == "command" else f"by {planned['bootstrap']}"


def absent(params: dict[str, Any], log: Log, check: bool) -> dict[str, Any]:
    """Removes the trees of the image and its private directory, and returns the module's result. Raises Busy or RunnerError.

    `params`, `check`: as for `present`.
    """
    place = _place(params)
    path = place.path
    if not _trees(place) and not files.exists(place.state):
        return {"changed": False, "path": path, "msg": f"{path} does not exist"}
    if check:
        with _all_unused(place):
            pass
    else:
        state = make_state(place.root, place.image)
        with image_lock(state, "removal"):
            recover(place)
            trash = trash_path(state)
            os.mkdir(trash, 0o700)
            with _all_unused(place):
                for tree in _trees(place):
                    files.clear_flags(tree)
                    files.rename(tree, os.path.join(trash, f"{len(os.listdir(trash))}"), files.NOREPLACE)
                files.remove_file(os.path.join(state, STATE_FILE))
            record.share(place, None)
            _remove_state(state)
            record.forget_unrecorded(place)
    msg = f"{path} {'would be' if check else 'was'} removed"
    return {"changed": True, "path": path, "msg": msg, "diff": _diff(path, {"state": "present"}, {"state": "absent"})}


def _remove_state(state: str) -> None:
    """Removes an image's private directory with all that is in it, such as logs. The caller holds the lock, which is removed last."""
    for name in os.listdir(state):
        if name != LOCK_FILE:
            remove_entry(os.path.join(state, name))
    os.unlink(os.path.join(state, LOCK_FILE))
    # Another run, which finds no lock, can have made a new one.
    with suppress(OSError):
        os.rmdir(state)


def _trees(place: Place) -> list[str]:
    """The existing trees of an image: the published one, the generations, the failed one."""
    earlier = [os.path.join(place.generations, name) for name in record.directories(place)]
    return [tree for tree in (place.path, *earlier, place.failed) if _exists(tree)]


def _all_unused(place: Place) -> ExitStack:
    content = record.load(place)
    overlays = {entry["id"]: entry.get("mounts") or () for entry in content["generations"]}
    with ExitStack() as stack:
        for tree in _trees(place):
            stack.enter_context(in_use.unused(tree, overlays.get(os.path.basename(tree), ()), place.path))
        return stack.pop_all()


def _place(params: dict[str, Any]) -> Place:
    name, root = params["name"], os.path.normpath(params.get("root") or ROOT)
    problem = name_problem(name)
    if problem:
        raise RunnerError(f"'{name}' cannot be an image: {problem}", "choose another name")
    if os.geteuid() != 0:
        raise RunnerError("making and removing trees requires root", "use become, or run Ansible as root")
    check_root(root)
    return Place(root, name)


def _exists(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        raise RunnerError(f"{path} is a symbolic link, and a tree is a directory", "remove the link")
    if not stat.S_ISDIR(mode):
        raise RunnerError(f"{path} is not a directory", "remove it, or choose another name")
    return True


def _diff(path: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {"before": before, "after": after, "before_header": path, "after_header": path}


def _clean_idle(place: Place, check: bool) -> None:
    """Removes the temporary entries of a killed run, unless another run holds the image."""
    if check or not (has_leftovers(place.state) or files.exists(place.journal)):
        return
    try:
        with image_lock(make_state(place.root, place.image), "cleaning"):
            recover(place)
    except Busy:
        pass


def _create(params: dict[str, Any], planned: dict[str, Any], place: Place, log: Log) -> None:
    try:
        build(params, planned, place, log)
        files.sync_file_system(place.staged)
        _put(place)
    except OSError as exc:
        raise system_error(exc, f"{place.path} cannot be made") from exc
    finally:
        # Removes the staged tree: after a failure the incomplete tree, after an exchange the old one.
        recover(place)


def build(params: dict[str, Any], planned: dict[str, Any], place: Place, log: Log) -> None:
    """Makes the staged tree, and checks that a container starts on it. Raises OSError or RunnerError.

    The caller holds the image's lock, and removes the staged tree after an error.
    """
    stage.make_directory(place.staged)
    leftovers = bootstrap.fill(place.staged, place.state, params, planned, log)
    finish_tree(place.staged, leftovers, log)
    check_usable(place.staged, place.image, place.state)


def _put(place: Place) -> None:
    """Renames the staged tree to the image's path. An old tree takes the staged tree's path, and no generation keeps it."""
    _forget_published(place)
    if not _exists(place.path):
        files.rename(place.staged, place.path, files.NOREPLACE)
        return
    with in_use.unused(place.path):
        files.clear_flags(place.path)
        files.rename(place.staged, place.path, files.EXCHANGE)


def _forget_published(place: Place) -> None:
    """Removes the entries about the published tree from the record."""
    content = record.load(place)
    removed = [content.pop(name, None) for name in ("published", "hold")]
    if any(removed):
        record.save(place, content)

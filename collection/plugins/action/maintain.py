# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# One image, start to end: created when it is missing, then its own playbook in a run of its own.

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import current_process
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display

from ansible_collections.nspawn.runner.plugins.module_utils import _chroot, _guard, _state
from ansible_collections.nspawn.runner.plugins.module_utils._container import write_container_file
from ansible_collections.nspawn.runner.plugins.module_utils._layout import GROUP, LOG_FILE
from ansible_collections.nspawn.runner.plugins.module_utils._maintain_spec import ARGUMENT_SPEC
from ansible_collections.nspawn.runner.plugins.plugin_utils import _image_vars, _inner_run
from ansible_collections.nspawn.runner.plugins.plugin_utils._image import WRAPPER
from ansible_collections.nspawn.runner.plugins.plugin_utils._image_vars import Image, ImageError

display = Display()

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

Log = Callable[[str], None]


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(ARGUMENT_SPEC)[1]
        host = _host()
        image = _image_vars.image_of(host)
        if image is None and GROUP not in {group.name for group in host.get_groups()}:
            return {"skipped": True, "changed": False, "skip_reason": f"{host.name} is no image"}
        started = time.monotonic()
        # What dies with Ansible's worker must find it dead when Ansible was killed.
        _guard.die_with_parent()
        try:
            if image is None:
                raise ImageError(f"{host.name} is not listed by the inventory plugin nspawn.runner.chroots: give its file with -i")
            manager = self._task.get_variable_manager()
            variables = _variables(image, host, manager)
            tree = _chroot.new_tree_path(image.root, image.name)
            settings = _image_vars.settings(image, variables, manager.extra_vars, tree, self._loader)
            plan = {"create_only": arguments["create_only"], "check": self._task.check_mode, "diff": self._task.diff}
            result = _maintain(image, settings, _pinned(variables), plan)
        except (ImageError, _state.ChrootError) as problem:
            result = {"failed": True, "changed": False, "msg": str(problem)}
        return {"created": False, "tasks_changed": 0, **result, "seconds": round(time.monotonic() - started, 1)}


def _host() -> Any:
    """The host of this task. A fact can override `inventory_hostname`, so it is asked of the worker process itself."""
    host = getattr(current_process(), "_host", None)
    if host is None:
        raise ImageError("this version of ansible-core is not supported: its worker process does not tell the host")
    return host


def _variables(image: Image, host: Any, manager: Any) -> dict[str, Any]:
    """What the user set, after all checks that need no template."""
    if os.geteuid() != 0:
        raise ImageError("images are maintained by root: run ansible-playbook as root, for example under sudo")
    _inner_run.check_options(context.CLIARGS)
    error = host.get_vars().get("nspawn_runner_error")
    if error:
        raise ImageError(str(error))
    if not image.playbook:
        raise ImageError(f"image {image.name} has no playbook: write {image.name}.yml beside the inventory file")
    if image.name in manager._inventory.groups:
        raise ImageError(f"image {image.name} has the name of an inventory group, so Ansible cannot be limited to it: rename one of them")
    variables = _image_vars.variables_without_facts(manager, host)
    _image_vars.check_names(image, host, variables)
    connection = str(variables.get("ansible_connection", "ssh"))
    if not connection_loader.find_plugin_with_context(connection).resolved:
        collection = connection.rpartition(".")[0]
        hint = f": ansible-galaxy collection install {collection}" if collection else ""
        raise ImageError(f"the connection plugin {connection} of image {image.name} is not installed{hint}{_debian(collection)}")
    return variables


def _debian(collection: str) -> str:
    return ", or apt install ansible" if collection == "community.general" else ""


def _pinned(variables: Mapping[str, Any]) -> dict[str, str]:
    """Variables that choose a program of the host: facts from the tree would override them in the image's run."""
    return {"ansible_chroot_exe": str(variables.get("ansible_chroot_exe", WRAPPER))}


def _maintain(image: Image, settings: Mapping[str, Any], pinned: Mapping[str, str], plan: Mapping[str, bool]) -> dict[str, Any]:
    missing = not os.path.lexists(image.path)
    recreate = not missing and settings["nspawn_runner_maint_recreate"] and not plan["create_only"]
    creation = _creation(image, settings, recreate) if missing or recreate else None
    if plan["create_only"] and not missing:
        return {"changed": False, "msg": f"{image.path} exists"}
    if plan["check"] and missing:
        # And there is nothing to run the playbook in.
        return _create(creation, _shown(image), plan)
    state = _state.make_state(image.root, image.name)
    with _state.lock(state, "maintenance"), _log(image, state) as log:
        made = _create(creation, log, plan) if creation else {}
        if plan["check"] and recreate:
            return made
        write_container_file(state, settings)
        return _with_creation(_playbook(image, pinned, state, log), made, os.path.join(state, LOG_FILE))


def _creation(image: Image, settings: Mapping[str, Any], recreate: bool) -> dict[str, Any]:
    options = {option: settings.get(variable) for option, variable in CREATION.items()}
    if not any(options[source] for source in SOURCES):
        names = " or ".join(CREATION[source] for source in SOURCES)
        raise ImageError(f"image {image.name} is missing and its playbook does not say how to make it: set {names} in the vars of {image.playbook}")
    return {**options, "name": image.name, "root": image.root, "state": "present", "recreate": recreate}


def _create(creation: dict[str, Any], log: Log, plan: Mapping[str, bool]) -> dict[str, Any]:
    made = _chroot.present(creation, log, plan["check"])
    by_tool = made.get("bootstrap") not in (None, "command", "tarball")
    msg = f"{made['msg']} from suite {creation['suite']}" if by_tool else made["msg"]
    log(msg)
    result = {"created": made["changed"], "changed": made["changed"], "msg": msg}
    return {**result, "diff": made["diff"]} if plan["diff"] and "diff" in made else result


def _with_creation(ran: dict[str, Any], made: Mapping[str, Any], log: str) -> dict[str, Any]:
    result = {**made, **ran, "changed": ran["changed"] or made.get("changed", False), "log": log}
    if "msg" not in ran:
        tasks = f"{ran['tasks_changed']} {'task' if ran['tasks_changed'] == 1 else 'tasks'} changed"
        result["msg"] = f"{made['msg']}; {tasks}" if made else tasks
    return result


def _playbook(image: Image, pinned: Mapping[str, str], state: str, log: Log) -> dict[str, Any]:
    result_file = os.path.join(state, "inner-result.json")
    with suppress(FileNotFoundError):
        os.unlink(result_file)
    errors: list[str] = []

    def line(text: bytes) -> None:
        shown = log(text)
        if re.match(r"ERROR!|\[ERROR\]", shown):
            errors.append(shown)

    try:
        status = _inner_run.run(_inner_run.inner_argv(image, context.CLIARGS, pinned), _inner_run.inner_environment(result_file), line)
        return _inner_run.outcome(image, status, result_file, os.path.join(state, LOG_FILE), errors)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(result_file)


def _shown(image: Image) -> Log:
    return lambda line: display.display(f"{image.name} | {line}".rstrip())


@contextmanager
def _log(image: Image, state: str) -> Iterator[Callable[[Any], str]]:
    """Shows each line under the image's name as it comes, and keeps all of them whole in the image's log."""
    path = os.path.join(state, LOG_FILE)
    with suppress(FileNotFoundError):
        os.replace(path, f"{path}.1")
    show = _shown(image)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:

        def log(line: Any) -> str:
            data = line if isinstance(line, bytes) else f"{line}\n".encode(errors="replace")
            file.write(data)
            text = _guard.plain_text(data.rstrip(b"\n"))
            show(text)
            return text

        yield log

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# One image, start to end: creation when the tree is missing, maintenance on a staged tree, publication when the tree changed.

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import WRAPPER
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import die_with_parent
from ansible_collections.nspawn.runner.plugins.module_utils._host.writable import writable_by_others
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import MAINTAIN
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import (
    Image,
    current_host,
    image_of,
    image_to_change,
    variables_without_facts,
)
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.polling import poll_less
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import inner_run, maintenance
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.child import in_child
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.extra_vars import check_extra_vars
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.sources import sources
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.variables import check_connection, check_names, read_settings

# The main process imports this file before it starts workers and polls for their results.
poll_less()


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(MAINTAIN)[1]
        host = current_host()
        try:
            check_extra_vars(self._task.get_variable_manager().extra_vars)
        except RunnerError as problem:
            return maintenance.failed(problem)
        if image_of(host) is None and GROUP not in {group.name for group in host.get_groups()}:
            return {"skipped": True, "changed": False, "skip_reason": f"{host.name} is no image"}
        warnings: list[str] = []
        started, clock = record.now(), time.monotonic()
        # Children die with this worker, so the worker must die with Ansible.
        die_with_parent()
        try:
            job = self._job(host, arguments["create_only"], warnings)
            result = in_child(lambda: maintenance.maintain(job), lambda status: maintenance.killed(job, status, started, time.monotonic() - clock))
        except RunnerError as problem:
            result = maintenance.failed(problem)
            image = image_of(host)
            if image and not self._task.check_mode:
                result = maintenance.record_run(Place(image.root, image.name), started, 0.0, result)
        if warnings:
            result["warnings"] = [*warnings, *result.get("warnings", ())]
        return {"created": False, "tasks_changed": 0, "packages": None, **result, "seconds": round(time.monotonic() - clock, 1)}

    def _job(self, host: Any, create_only: bool, warnings: list[str]) -> maintenance.Job:
        image = image_to_change(host)
        manager = self._task.get_variable_manager()
        for writable in writable_by_others(sources([image.playbook], manager._inventory._sources)):
            # Ansible ignores an ansible.cfg for this reason, but no playbook.
            if writable.everyone:
                raise RunnerError(f"root does not run files that every user can write: {writable.found}", writable.remedy)
            warnings.append(f"root runs files of others: {writable.found}: {writable.remedy}")
        variables = _variables(image, host, manager)
        pinned = _pinned(image, variables)
        for name in pinned:
            if name in manager.extra_vars:
                raise RunnerError(f"-e {name} would lead the image's run to another place than its staged tree", f"leave out -e {name}")
        check_connection(image, variables)
        staged = Place(image.root, image.name).staged
        settings = read_settings(image, variables, manager.extra_vars, staged, self._loader)
        return maintenance.Job(image, settings, pinned, create_only, self._task.check_mode, self._task.diff)


def _variables(image: Image, host: Any, manager: Any) -> dict[str, Any]:
    """The image's variables, after all checks that render no template."""
    inner_run.check_options(context.CLIARGS)
    error = host.get_vars().get("nspawn_runner_error")
    if error:
        raise RunnerError(str(error))
    if not image.playbook:
        raise RunnerError(f"image {image.name} has no playbook", f"write {image.name}.yml beside the inventory file")
    if image.name in manager._inventory.groups:
        raise RunnerError(f"image {image.name} has the name of an inventory group, so --limit would take the group", "rename the image or the group")
    variables = variables_without_facts(manager, host)
    check_names(image, host, variables)
    return variables


def _pinned(image: Image, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables that lead a task to its tree, or choose a program of the host. In the inventory a fact from the tree could override them."""
    staged = Place(image.root, image.name).staged
    return {
        "ansible_connection": str(variables["ansible_connection"]),
        "ansible_host": staged,
        # The older name of ansible_host, which Ansible prefers.
        "ansible_ssh_host": staged,
        "ansible_chroot_exe": str(variables.get("ansible_chroot_exe", WRAPPER)),
        "nspawn_runner_root": image.root,
        "nspawn_runner_path": staged,
        "nspawn_runner_present": True,
        "nspawn_runner_playbook": image.playbook,
    }

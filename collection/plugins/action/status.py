# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The present state of each image, as a table or as JSON.

from __future__ import annotations

import json
import time
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import STATUS
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import image_of, images_of_play, refuse_no_images
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.table import table
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.extra_vars import check_extra_vars
from ansible_collections.nspawn.runner.plugins.plugin_utils._status.status import HEADER, NUMBERS, TIME, row, status


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(STATUS)[1]
        manager = self._task.get_variable_manager()
        inventory = manager._inventory
        try:
            check_extra_vars(manager.extra_vars, "nspawn.runner.status")
            refuse_no_images(inventory.groups)
        except RunnerError as problem:
            return {"failed": True, "changed": False, "msg": str(problem)}
        deadline = time.monotonic() + TIME
        images: dict[str, Any] = {}
        for host in map(inventory.get_host, images_of_play(task_vars)):
            image = image_of(host)
            if image:
                # The inventory's values alone: no fact can change them.
                listed = host.get_vars()
                system = (listed.get("nspawn_runner_os") or {}).get("pretty_name")
                images[image.name] = status(image, system, listed.get("nspawn_runner_error"), deadline)
        problems = sum(bool(found["problem"]) for found in images.values())
        if arguments["format"] == "json":
            display.display(json.dumps({"images": images, "problems": problems}))
        else:
            _show(images)
        return {"changed": False, "images": images, "problems": problems, "msg": f"{problems} image{'s' * (problems != 1)} with a problem"}


def _show(images: dict[str, Any]) -> None:
    if not images:
        display.display("There is no image. ansible-inventory --graph lists the images.")
        return
    colors = [C.COLOR_ERROR if found["problem"] else C.COLOR_CHANGED if found.get("hold") else C.COLOR_OK for found in images.values()]
    for line, color in zip(table([HEADER, *map(row, images.values())], NUMBERS), [None, *colors]):
        display.display(line.rstrip(), color=color)
    for name, found in images.items():
        if found["problem"]:
            display.display(f"{name}: {found['problem']}", color=C.COLOR_ERROR)

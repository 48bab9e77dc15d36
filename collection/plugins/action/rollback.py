# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# One image back to an earlier tree, and held there; or released again.

from __future__ import annotations

import os
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import die_with_parent
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.generations import release, roll_back
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, make_state
from ansible_collections.nspawn.runner.plugins.module_utils._image.publish import recover
from ansible_collections.nspawn.runner.plugins.module_utils._session.lock import image_lock
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import ROLLBACK
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import current_host, image_of
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(ROLLBACK)[1]
        die_with_parent()
        try:
            place = _place(current_host())
        except RunnerError as problem:
            return {"failed": True, "changed": False, "msg": str(problem)}
        try:
            with image_lock(place.state, "release" if arguments["release"] else "rollback"):
                if not self._task.check_mode:
                    recover(place)
                if arguments["release"]:
                    result = _release(place, self._task.check_mode)
                else:
                    result = _roll_back(place, arguments["generation"] or None, self._task.check_mode)
            # Ansible itself shows the words of failures only.
            display.display(f"{place.image} | {result['msg']}")
            return result
        except RunnerError as problem:
            return {"failed": True, "changed": False, "msg": str(problem)}
        except OSError as problem:
            return {"failed": True, "changed": False, "msg": str(system_error(problem, path=place.state))}


def _place(host: Any) -> Place:
    if os.geteuid() != 0:
        raise RunnerError("images are rolled back by root: run ansible-playbook as root, for example under sudo")
    image = image_of(host)
    if image is None:
        raise RunnerError(f"{host.name} is no image of the inventory plugin nspawn.runner.chroots: give its file with -i")
    if not context.CLIARGS.get("subset"):
        raise RunnerError("this is done to the images that --limit names, never to all by accident: add, for example, --limit " + host.name)
    place = Place(image.root, image.name)
    if not os.path.isdir(place.state):
        raise RunnerError(f"image {image.name} has no earlier trees: no maintenance has published one")
    make_state(image.root, image.name)
    return place


def _roll_back(place: Place, generation: str | None, check: bool) -> dict[str, Any]:
    held = record.load(place).get("hold", {}).get("generation")
    notes: list[str] = []
    was, now = roll_back(place, generation, check, notes.append)
    if was == now:
        msg = f"{place.path} is {now['id']} already, and {'is' if held else 'would be' if check else 'is now'} held there"
        return {"changed": held != now["id"], "msg": msg, "generation": now["id"], "previous": now["id"]}
    since = f" of {now['published']}" if "published" in now else ""
    would = "would be " if check else ""
    msg = f"{place.path} {would}rolled back from {was.get('id', 'no tree')} to {now['id']}{since}"
    msg += f"; maintenance leaves it alone until it is released: ansible-playbook nspawn.runner.release --limit {place.image}"
    return {"changed": True, "msg": "; ".join([msg, *notes]), "generation": now["id"], "previous": was.get("id")}


def _release(place: Place, check: bool) -> dict[str, Any]:
    if "hold" not in record.load(place):
        return {"changed": False, "msg": f"image {place.image} is not held"}
    if not check:
        release(place)
    return {"changed": True, "msg": f"image {place.image} {'would be' if check else 'is'} released: maintenance goes on with it"}

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Puts an earlier tree of an image back and holds the image there, or releases the image again.

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
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import current_host, image_to_change
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.extra_vars import check_extra_vars


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(ROLLBACK)[1]
        die_with_parent()
        try:
            playbook = "nspawn.runner.release" if arguments["release"] else "nspawn.runner.rollback"
            check_extra_vars(self._task.get_variable_manager().extra_vars, playbook)
            place = _place(current_host())
            try:
                result = self._change(place, arguments)
            except OSError as problem:
                raise system_error(problem, path=place.state) from problem
        except RunnerError as problem:
            return {"failed": True, "changed": False, "msg": str(problem)}
        # Ansible shows `msg` of a failure only.
        display.display(f"{place.image} | {result['msg']}")
        return result

    def _change(self, place: Place, arguments: dict[str, Any]) -> dict[str, Any]:
        check = self._task.check_mode
        with image_lock(place.state, "release" if arguments["release"] else "rollback"):
            if not check:
                recover(place)
            return _release(place, check) if arguments["release"] else _roll_back(place, arguments["generation"] or None, check)


def _place(host: Any) -> Place:
    image = image_to_change(host)
    if not context.CLIARGS.get("subset"):
        raise RunnerError("only images that --limit names are changed, never all by accident", f"add, for example, --limit {host.name}")
    place = Place(image.root, image.name)
    if not os.path.isdir(place.state):
        raise RunnerError(f"image {image.name} has no earlier trees, since no maintenance has published one")
    make_state(image.root, image.name)
    return place


def _roll_back(place: Place, generation: str | None, check: bool) -> dict[str, Any]:
    held = record.load(place).get("hold", {}).get("generation")
    notes: list[str] = []
    before, after = roll_back(place, generation, check, notes.append)
    if before == after:
        msg = f"{place.path} is {after['id']} already, and {'is' if held else 'would be' if check else 'is now'} held there"
        return {"changed": held != after["id"], "msg": msg, "generation": after["id"], "previous": after["id"]}
    since = f" of {after['published']}" if "published" in after else ""
    would = "would be " if check else ""
    msg = f"{place.path} {would}rolled back from {before.get('id', 'no tree')} to {after['id']}{since}"
    msg += f"; no maintenance changes it until its release: ansible-playbook -i nspawn_runner.yml nspawn.runner.release --limit {place.image}"
    return {"changed": True, "msg": "; ".join([msg, *notes]), "generation": after["id"], "previous": before.get("id")}


def _release(place: Place, check: bool) -> dict[str, Any]:
    if "hold" not in record.load(place):
        return {"changed": False, "msg": f"image {place.image} is not held"}
    if not check:
        release(place)
    return {"changed": True, "msg": f"image {place.image} {'would be' if check else 'is'} released: maintenance changes it again"}

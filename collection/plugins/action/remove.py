# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Removes an image from the host: the tree, the earlier trees and the private files.

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._create.chroot import absent
from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import die_with_parent, ignore
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import REMOVE
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import image_of, roots_of
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.extra_vars import check_extra_vars


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        name = self.validate_argument_spec(REMOVE)[1]["name"] or ""
        manager = self._task.get_variable_manager()
        die_with_parent()
        try:
            check_extra_vars(manager.extra_vars, "nspawn.runner.remove")
            root, playbook = _found(name, manager._inventory)
            try:
                result = absent({"name": name, "root": root}, ignore, self._task.check_mode)
            except OSError as problem:
                raise system_error(problem, path=Place(root, name).state) from problem
        except RunnerError as problem:
            return {"failed": True, "changed": False, "msg": str(problem)}
        if playbook:
            result["msg"] += f"; {playbook} still declares the image, so the next maintenance makes it anew: remove that file too"
        # Ansible shows `msg` of a failure only.
        display.display(f"{name} | {result['msg']}")
        return result


def _found(name: str, inventory: Any) -> tuple[str, str]:
    """The root directory of the image, and its playbook or an empty text. Raises RunnerError for a name that no image has."""
    images = {image.name: image for host in inventory.groups[GROUP].get_hosts() if (image := image_of(host))} if GROUP in inventory.groups else {}
    known = f"choose one of {', '.join(sorted(images))}" if images else "give the inventory file nspawn_runner.yml with -i"
    if not name:
        raise RunnerError("no image is named", f"give -e nspawn_runner_remove=NAME, and {known}")
    if name in images:
        return images[name].root, images[name].playbook
    # A killed removal can have left an image that the inventory no longer lists.
    roots = sorted(roots_of(inventory))
    for root in roots:
        if files.exists(Place(root, name).path) or files.exists(Place(root, name).state):
            return root, ""
    raise RunnerError(f"there is no image '{name}'{' in ' if roots else ''}{' or '.join(roots)}", known)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: playbook_vars
short_description: Gives the nspawn_runner_* variables of an image's playbook to the host of that name
author:
  - The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._playbook_vars
  - ansible.builtin.vars_plugin_staging
"""

EXAMPLES = r"""
# /etc/nspawn-runner/hosts.yml: the playbook is /etc/nspawn-runner/sid.yml. In ansible.cfg, [defaults] has
# vars_plugins_enabled = host_group_vars, nspawn.runner.playbook_vars
nspawn_runner:
  hosts:
    sid:
      ansible_connection: nspawn.runner.nspawn
      ansible_host: /var/lib/nspawn-runner/sid
"""

import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin
from ansible.utils.path import unfrackpath

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import unsafe
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.images import (
    find_playbook,
    image_name_problem,
    playbook_directories,
    refuse_empty_root,
    warn_of_two,
)


class VarsModule(BaseVarsPlugin):
    def get_vars(self, loader: Any, path: str, entities: Any, cache: Any = None) -> dict[str, Any]:
        super().get_vars(loader, path, entities)
        variables: dict[str, Any] = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            # A host's name that is not valid for an image could be a path.
            if isinstance(entity, Host) and any(group.name == GROUP for group in entity.get_groups()):
                problem = image_name_problem(entity.name)
                variables.update(self._refused(entity, problem) if problem else self._image_vars(loader, path, entity))
        return variables

    def _refused(self, host: Host, problem: str) -> dict[str, Any]:
        reason = str(RunnerError(f"no image can have the name '{host.name}': {problem}", f"rename the host, or take it out of the group {GROUP}"))
        self._display.warning(f"Host of group {GROUP}: {reason}")
        return {"nspawn_runner_error": unsafe(reason)}

    def _image_vars(self, loader: Any, path: str, host: Host) -> dict[str, Any]:
        beside = host.vars.get("inventory_dir")
        # Ansible calls this for the directory of the inventory and for that of the playbook. Values from the second call would outrank the
        # inventory's host_vars.
        called_for = os.path.abspath(path)
        if beside and os.path.commonpath((beside, called_for)) != called_for:
            return {}
        try:
            refuse_empty_root()
        except RunnerError as problem:
            raise AnsibleError(str(problem)) from problem
        root = self.get_option("root")
        has_tree = _is_directory(os.path.join(root, host.name))
        try:
            directories = playbook_directories(self.get_option("playbook_dirs"), beside, root, lambda name: unfrackpath(name, follow=False, basedir=beside))
        except RunnerError as problem:
            raise AnsibleError(str(problem)) from problem
        found = [find_playbook(host.name, directory, loader, has_tree, self._display.warning) for directory in directories]
        playbooks = [playbook for playbook in found if playbook]
        if not playbooks:
            return {}
        first, *others = playbooks
        for other in others:
            warn_of_two(host.name, first, other, self._display.warning)
        if first.error:
            self._display.warning(f"Image {host.name}: {first.error}")
            return {"nspawn_runner_error": first.error}
        return dict(first.variables)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)

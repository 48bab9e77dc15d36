# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether this host is ready to make and maintain images, as a table.

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import DOCTOR
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image, image_of, variables_without_facts
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.table import table
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import playbooks
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Check, Subject
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.doctor import examine
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.extra_vars import check_extra_vars
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.images import refused_playbooks
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.sources import sources
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.variables import check_connection, check_names, read_settings

HEADER = ("check", "result", "found", "remedy")
_COLORS = {OK: C.COLOR_OK, WARNING: C.COLOR_WARN, PROBLEM: C.COLOR_ERROR}


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self.validate_argument_spec(DOCTOR)
        manager = self._task.get_variable_manager()
        try:
            check_extra_vars(manager.extra_vars)
        except RunnerError as problem:
            return {"failed": True, "changed": False, "msg": str(problem)}
        inventory = manager._inventory
        listed = GROUP in inventory.groups
        # Only hosts that --limit leaves, with the inventory's values: no fact and no variable of a task can change these.
        images = {host: image_of(host) for host in inventory.get_hosts(GROUP)} if listed else {}
        subjects = [self._subject(image, host) for host, image in images.items() if image]
        declared = inventory.groups[f"{GROUP}_declared"].get_hosts() if f"{GROUP}_declared" in inventory.groups else ()
        searched = playbooks.Searched(playbooks.directories(inventory._sources, self._loader), {host.name for host in declared}, self._loader)
        # A maintenance looks at the files of one image. The table is for the whole host.
        files = [*sources([subject.image.playbook for subject in subjects], inventory._sources), *playbooks.files(searched.directories)]
        refused = [Check("inventory", PROBLEM, sentence, "") for sentence in refused_playbooks()]
        checks = [*examine(sorted(subjects), listed, context.CLIARGS["forks"], files, searched), *refused]
        lines = table([HEADER, *checks], numbers=0)
        for line, color in zip(lines, [None, *(_COLORS[check.result] for check in checks)]):
            display.display(line.rstrip(), color=color)
        problems, warnings = (sum(check.result == result for check in checks) for result in (PROBLEM, WARNING))
        msg = f"{problems} problem{'s' * (problems != 1)} and {warnings} warning{'s' * (warnings != 1)}"
        return {"changed": False, "checks": [check._asdict() for check in checks], "problems": problems, "warnings_found": warnings, "msg": msg}

    def _subject(self, image: Image, host: Any) -> Subject:
        manager = self._task.get_variable_manager()
        connection = str(host.get_vars().get("ansible_connection", ""))
        try:
            variables = variables_without_facts(manager, host)
            connection = str(variables.get("ansible_connection", "ssh"))
            if error := host.get_vars().get("nspawn_runner_error"):
                raise RunnerError(str(error))
            if not image.playbook:
                return Subject(image, connection)
            check_names(image, host, variables)
            check_connection(image, variables)
            staged = Place(image.root, image.name).staged
            return Subject(image, connection, read_settings(image, variables, manager.extra_vars, staged, self._loader))
        except RunnerError as problem:
            return Subject(image, connection, problem=problem)
        except AnsibleError as problem:
            # Such as an error in group_vars or host_vars.
            reason, place = " ".join(str(problem).split()).rstrip("."), _place(problem)
            found = f"the variables of image {image.name} cannot be read: {reason}"
            return Subject(image, connection, problem=RunnerError(found, f"fix {place}" if place else ""))


def _place(problem: BaseException | None) -> str:
    """File and line of an error, which ansible-core 2.19 and later keep apart from its message; empty where unknown."""
    while problem:
        first = str(getattr(problem, "_formatted_source_context", None) or "").partition("\n")[0]
        if first.startswith("Origin: "):
            return first.removeprefix("Origin: ")
        problem = problem.__cause__ or problem.__context__
    return ""

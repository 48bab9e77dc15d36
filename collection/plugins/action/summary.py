# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The table at the end of a maintenance, one line per image.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.nspawn.runner.plugins.module_utils._layout import GROUP
from ansible_collections.nspawn.runner.plugins.module_utils._summary_spec import ARGUMENT_SPEC

display = Display()

HEADER = ("image", "result", "tasks changed", "seconds")


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        register = self.validate_argument_spec(ARGUMENT_SPEC)[1]["register"]
        images = [name for name in task_vars["ansible_play_hosts_all"] if name in task_vars["groups"].get(GROUP, ())]
        if not images:
            return _nothing(task_vars["groups"])
        # raw: a failed task's words come from the tree, and are no template.
        results = {name: task_vars["hostvars"].raw_get(name).get(register) for name in images}
        rows = [_row(name, result, self._task.check_mode) for name, result in results.items()]
        for line, color in zip(table([HEADER, *rows]), [None, *(_color(row[1]) for row in rows)]):
            display.display(line, color=color)
        for name, result in results.items():
            if _failed(result):
                display.display(f"{name}: {_sentence(result)}", color=C.COLOR_ERROR)
        return {"changed": False, "images": {row[0]: row[1] for row in rows}}


def _nothing(groups: Mapping[str, Any]) -> dict[str, Any]:
    """Ansible ends with 0 when the inventory's file was bad: that must not look like a maintained host."""
    if GROUP not in groups:
        msg = "No inventory lists images: give a file that ends in nspawn_runner.yml with -i, or mend the one whose error is shown above."
        return {"failed": True, "changed": False, "msg": msg}
    msg = "There is nothing to do: no image matches. See ansible-inventory --graph for what there is."
    display.display(msg)
    return {"changed": False, "msg": msg, "images": {}}


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns, the last two to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    texts, numbers = widths[:-2], widths[-2:]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, texts)), *(cell.rjust(width) for cell, width in zip(row[-2:], numbers))])
        for row in rows
    ]


def _row(name: str, result: Any, check: bool) -> tuple[str, str, str, str]:
    if not isinstance(result, Mapping):
        return name, "not run", "-", "-"
    tasks, seconds = result.get("tasks_changed", 0), result.get("seconds", 0)
    return name, _word(result, check), str(tasks), f"{float(seconds):.1f}"


def _word(result: Mapping[str, Any], check: bool) -> str:
    if _failed(result):
        return "failed"
    would = "would be " if check else ""
    if result.get("created"):
        return f"{would}created"
    return f"{would}changed" if result.get("changed") else "unchanged"


def _failed(result: Any) -> bool:
    return isinstance(result, Mapping) and bool(result.get("failed"))


def _sentence(result: Mapping[str, Any]) -> str:
    return " ".join(str(result.get("msg", "no message")).split())


def _color(word: str) -> str:
    return {"failed": C.COLOR_ERROR, "unchanged": C.COLOR_OK, "not run": C.COLOR_SKIP}.get(word, C.COLOR_CHANGED)

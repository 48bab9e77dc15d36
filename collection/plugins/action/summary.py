# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The table at the end of a maintenance, one line per image.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import LINE_LENGTH, visible
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import SUMMARY
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages import package_numbers
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import images_of_play
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.table import table
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.failure import LINES
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.images import refused_playbooks

HEADER = ("image", "result", "tasks changed", "packages added", "removed", "upgraded", "seconds")


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        register = self.validate_argument_spec(SUMMARY)[1]["register"]
        images = images_of_play(task_vars)
        if not images:
            return _nothing(task_vars["groups"])
        # raw_get, since the message of a failed task comes from the tree, and must not be rendered as a template.
        results = {name: task_vars["hostvars"].raw_get(name).get(register) for name in images}
        rows = [_row(name, result, self._task.check_mode) for name, result in results.items()]
        for line, color in zip(table([HEADER, *rows], numbers=5), [None, *(_color(row[1]) for row in rows)]):
            display.display(line, color=color)
        for name, result in results.items():
            if _needs_sentence(result):
                sentence, *lines = _told(result)
                for line in (f"{name}: {sentence}", *(f"    {line}" for line in lines)):
                    display.display(line, color=_color(_word(result, False)))
        return {"changed": False, "images": {row[0]: row[1] for row in rows}, **_refused()}


def _refused() -> dict[str, Any]:
    sentences = refused_playbooks()
    return {"failed": True, "msg": "; ".join(sentences)} if sentences else {}


def _nothing(groups: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a play without images: a failure when no inventory lists any, since Ansible exits with 0 for a bad inventory file."""
    if GROUP not in groups:
        problem = RunnerError("no inventory lists images", "give a file that ends in nspawn_runner.yml with -i, or fix the file of the error above")
        return {"failed": True, "changed": False, "msg": str(problem)}
    msg = "There is nothing to do: no image matches. ansible-inventory --graph lists the images."
    display.display(msg)
    return {"changed": False, "msg": msg, "images": {}, **_refused()}


def _row(name: str, result: Any, check: bool) -> tuple[str, ...]:
    if not isinstance(result, Mapping):
        return name, "not run", *["-"] * 5
    return name, _word(result, check), str(result.get("tasks_changed", 0)), *package_numbers(result), f"{float(result.get('seconds', 0)):.1f}"


def _word(result: Mapping[str, Any], check: bool) -> str:
    # A failure in Ansible itself has no `result`.
    word = visible(str(result.get("result", "failed")))
    return f"would be {word}" if check and word == "published" else word


def _needs_sentence(result: Any) -> bool:
    if not isinstance(result, Mapping):
        return False
    # The playbooks take `failed` away: see their last task.
    told = result.get("failed") or result.get("creation_changed") or result.get("skipped_plays")
    return bool(told) or _word(result, False) in ("failed", "busy", "held")


def _told(result: Mapping[str, Any]) -> list[str]:
    """The message as a sentence, and the last lines of the output where it has some."""
    sentence, *lines = [" ".join(line.split()) for line in str(result.get("msg", "no message")).split("\n")]
    if isinstance(result.get("failed_runs"), int) and result["failed_runs"] > 1:
        sentence = f"{sentence}; the last {result['failed_runs']} runs failed, since {result.get('since')}"
    return [visible(line)[:LINE_LENGTH] for line in (sentence, *lines[-LINES:]) if line]


def _color(word: str) -> str:
    plain = {"failed": C.COLOR_ERROR, "busy": C.COLOR_ERROR, "unchanged": C.COLOR_OK, "not run": C.COLOR_SKIP, "held": C.COLOR_SKIP}
    return plain.get(word, C.COLOR_CHANGED)

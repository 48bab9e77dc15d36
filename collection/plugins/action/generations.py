# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The trees of each image: the published one and the earlier ones, and what made them.

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import GENERATIONS
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages import package_counts
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import image_of
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.table import table

HEADER = ("image", "generation", "is", "playbook", "age", "tasks changed", "added", "removed", "upgraded")
# Of one generation, without -v.
PACKAGES = 10


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self.validate_argument_spec(GENERATIONS)
        inventory = self._task.get_variable_manager()._inventory
        names = [name for name in task_vars["ansible_play_hosts_all"] if name in task_vars["groups"].get(GROUP, ())]
        images = {name: image_of(inventory.get_host(name)) for name in names}
        try:
            contents = {name: record.load(Place(image.root, image.name)) for name, image in images.items() if image}
        except PermissionError as exc:
            return {"failed": True, "msg": f"{exc.filename}: {exc.strerror}: run ansible-playbook as root"}
        except RunnerError as problem:
            return {"failed": True, "msg": str(problem)}
        _show(contents)
        return {"changed": False, "images": contents}


def _show(contents: Mapping[str, Mapping[str, Any]]) -> None:
    trees = [(name, content, tree) for name, content in contents.items() for tree in _trees(content)]
    if not trees:
        display.display("No image has a tree that a maintenance has published.")
        return
    head, *lines = table([HEADER, *(_row(*entry) for entry in trees)], numbers=5)
    display.display(head)
    for line, (_name, _content, tree) in zip(lines, trees):
        display.display("\n".join([line, *_packages(tree.get("packages") or [])]))


def _trees(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    published = content.get("published")
    return [*([published] if published else []), *content["generations"]]


def _row(name: str, content: Mapping[str, Any], tree: Mapping[str, Any]) -> tuple[str, ...]:
    what = "earlier" if "retired" in tree else "held" if "hold" in content else "published"
    counts = package_counts(tree.get("packages"))
    numbers = [str(counts[word]) if counts else "-" for word in ("added", "removed", "upgraded")]
    return name, tree["id"], what, _playbook(tree), _age(tree), str(tree.get("tasks_changed", "-")), *numbers


def _playbook(tree: Mapping[str, Any]) -> str:
    if "playbook" not in tree:
        return "-"
    return f"{os.path.basename(tree['playbook'])} {tree.get('playbook_sha256', '')[:8]}".rstrip()


def _age(tree: Mapping[str, Any]) -> str:
    published = record.seconds(tree.get("published"))
    if published is None:
        return "-"
    minutes = max(0, int(time.time() - published)) // 60
    for size, unit in ((60 * 24, "d"), (60, "h")):
        if minutes >= size:
            return f"{minutes // size} {unit}"
    return f"{minutes} min"


def _packages(packages: list[Mapping[str, str]]) -> Iterator[str]:
    shown = packages if display.verbosity > 0 else packages[:PACKAGES]
    for package in shown:
        old, new = package.get("from"), package.get("to")
        what = f"added {new}" if old is None else f"removed {old}" if new is None else f"{old} -> {new}"
        yield f"    {package['name']} {what}"
    if len(shown) < len(packages):
        yield f"    and {len(packages) - len(shown)} more: -v shows all"

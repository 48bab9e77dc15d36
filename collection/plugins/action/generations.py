# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The trees of each image: the published one and the earlier ones, with their playbooks and packages.

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import GENERATIONS
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages import package_numbers
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import image_of, images_of_play, refuse_no_images
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.table import table
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.extra_vars import check_extra_vars
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.images import refused_playbooks
from ansible_collections.nspawn.runner.plugins.plugin_utils._status.jobs import jobs

HEADER = ("image", "generation", "is", "playbook", "age", "tasks changed", "added", "removed", "upgraded")
# Packages shown per generation, without -v.
PACKAGES = 10


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self.validate_argument_spec(GENERATIONS)
        manager = self._task.get_variable_manager()
        inventory = manager._inventory
        try:
            check_extra_vars(manager.extra_vars)
            refuse_no_images(inventory.groups)
        except RunnerError as problem:
            return {"failed": True, "changed": False, "msg": str(problem)}
        images = {name: image_of(inventory.get_host(name)) for name in images_of_play(task_vars)}
        contents: dict[str, Any] = {}
        problems = refused_playbooks()
        for name, image in images.items():
            if image is None:
                continue
            # A record that cannot be read hides only the trees of its image.
            try:
                contents[name] = record.load(Place(image.root, image.name))
            except (RunnerError, OSError) as problem:
                problems.append(str(system_error(problem) if isinstance(problem, OSError) else problem))
        # Of each root directory once: the images of a play can have several.
        running = {root: jobs(root) for root in {image.root for image in images.values() if image}}
        using = {name: [job for job in running[image.root] if job["image"] == image.name] for name, image in images.items() if image}
        if contents or not problems:
            _show(contents, using)
        result = {"changed": False, "images": contents, "jobs": using}
        return {**result, "failed": True, "msg": "; ".join(problems)} if problems else result


def _show(contents: Mapping[str, Mapping[str, Any]], using: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
    trees = [(name, content, tree) for name, content in contents.items() for tree in _trees(content)]
    if not trees:
        display.display("No image has a tree that a maintenance has published.")
        return
    head, *lines = table([HEADER, *(_row(*entry) for entry in trees)], numbers=5)
    display.display(head)
    for line, (name, _content, tree) in zip(lines, trees):
        users = [f"    job {job['label']} ({job['name']}) uses this tree" for job in using.get(name, ()) if job["generation"] == tree["id"]]
        in_place = [f"    a run in place worked on this tree at {tree['in_place']}, after its maintenance"] if "in_place" in tree else []
        display.display("\n".join([line, *in_place, *users, *_packages(tree.get("packages") or [], tree.get("packages_omitted", 0))]))


def _trees(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    published = content.get("published")
    return [*([published] if published else []), *content["generations"]]


def _row(name: str, content: Mapping[str, Any], tree: Mapping[str, Any]) -> tuple[str, ...]:
    state = "earlier" if "retired" in tree else "held" if "hold" in content else "published"
    return name, tree["id"], state, _playbook(tree), _age(tree), str(tree.get("tasks_changed", "-")), *package_numbers(tree)


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


def _packages(packages: list[Mapping[str, str]], omitted: int) -> Iterator[str]:
    shown = packages if display.verbosity > 0 else packages[:PACKAGES]
    for package in shown:
        old, new = package.get("from"), package.get("to")
        change = f"added {new}" if old is None else f"removed {old}" if new is None else f"{old} -> {new}"
        yield f"    {package['name']} {change}"
    if len(shown) < len(packages):
        yield f"    and {len(packages) - len(shown)} more: -v shows all"
    if omitted:
        yield f"    and {omitted} more, which the record leaves out"

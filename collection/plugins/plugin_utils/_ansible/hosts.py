# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: hosts of Ansible's inventory and their variables, read without facts. Names can change at any time.

from __future__ import annotations

import difflib
import os
from collections.abc import Container, Mapping
from multiprocessing import current_process
from typing import Any, NamedTuple

from ansible.inventory.manager import split_host_pattern

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import GROUP, VARIABLE_PREFIX

# Connection plugins that run tasks in the tree of an image: choices of the option `connection` of the inventory plugin.
CONNECTIONS = ("nspawn.runner.nspawn", "community.general.chroot")


class Image(NamedTuple):
    """An image as the inventory plugin lists it. Neither the user nor a fact can change these values."""

    name: str
    root: str
    path: str
    playbook: str


def current_host() -> Any:
    """The host of this task, from Ansible's worker process: a fact can override `inventory_hostname`."""
    host = getattr(current_process(), "_host", None)
    if host is None:
        raise _unsupported("its worker process does not name the host of the task")
    return host


def image_of(host: Any) -> Image | None:
    """The image of a host; None for a host that is no image. Reads only values that the inventory plugin set for this host."""
    variables = host.get_vars()
    values = [variables.get(f"{VARIABLE_PREFIX}{name}") for name in ("root", "path", "playbook")]
    return None if values[0] is None or values[1] is None else Image(host.name, *(str(value or "") for value in values))


def refuse_no_images(groups: Container[str]) -> None:
    """Raises RunnerError when no inventory of the plugin was read: Ansible exits with 0 for a bad inventory file."""
    if GROUP not in groups:
        raise RunnerError("no inventory lists images", "give a file that ends in nspawn_runner.yml with -i, or fix the file of the error above")


def image_to_change(host: Any) -> Image:
    """The image of a host, for an action that changes the image. Refuses a user other than root, and a host that is no image."""
    if os.geteuid() != 0:
        raise RunnerError("changing images requires root", "run ansible-playbook as root, for example under sudo")
    image = image_of(host)
    if image is None:
        raise RunnerError(f"{host.name} is not listed by the inventory plugin nspawn.runner.chroots", "give the plugin's file with -i")
    return image


def roots_of(inventory: Any) -> set[str]:
    """The root directories of all images, and of an inventory that lists no image."""
    group = inventory.groups.get(GROUP)
    if group is None:
        return set()
    images = [image for host in group.get_hosts() if (image := image_of(host))]
    root = group.get_vars().get(f"{VARIABLE_PREFIX}root")
    return {image.root for image in images} | ({str(root)} if root else set())


def images_of_play(task_vars: Mapping[str, Any]) -> list[str]:
    """Names of the play's hosts that an inventory lists as images."""
    return [name for name in task_vars["ansible_play_hosts_all"] if name in task_vars["groups"].get(GROUP, ())]


def missing_names(inventory: Any, pattern: Any) -> list[str]:
    """The parts of a host pattern that name neither a host nor a group of the inventory, whatever --limit says.

    A group without hosts exists, and so do the hosts that a play has added. An exclusion such as `!name` may name nothing.
    """
    parts = [part.lstrip("&") for part in split_host_pattern(pattern) if not part.startswith("!")]
    return [part for part in parts if part and not _names_something(inventory, part)]


def _names_something(inventory: Any, part: str) -> bool:
    # These functions are private to ansible-core, and the same from 2.14 to 2.22.
    name, _subscript = inventory._split_subscript(part)
    return bool(inventory._match_list(inventory.groups, name) or inventory.get_hosts(part, ignore_limits=True, ignore_restrictions=True))


def nearest_host(inventory: Any, name: str) -> str:
    """The name of a host or a group that is nearest to this one; empty where none is near."""
    return next(iter(difflib.get_close_matches(name, [*inventory.hosts, *inventory.groups], 1)), "")


def variables_without_facts(manager: Any, host: Any) -> dict[str, Any]:
    """A host's variables as the user wrote them: inventory, group_vars, host_vars, vars plugins and extra vars.

    Facts outrank all of these except extra vars, a tree can return any fact, and a fact cache keeps facts for the next run. So the caches of
    the manager are emptied first. Only for Ansible's worker processes, each of which has a copy of the manager.
    Tried with ansible-core 2.14 to 2.22. The names of the caches are private to ansible-core, so a version without them is refused.
    """
    for cache in ("_fact_cache", "_nonpersistent_fact_cache"):
        if not hasattr(manager, cache):
            raise _unsupported("its variables cannot be read without facts")
        setattr(manager, cache, {host.name: {}})
    return manager.get_vars(host=host, include_hostvars=False)


def _unsupported(reason: str) -> RunnerError:
    return RunnerError(f"this version of ansible-core is not supported, since {reason}", "install another version")

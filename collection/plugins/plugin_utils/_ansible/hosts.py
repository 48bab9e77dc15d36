# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: hosts of Ansible's inventory and their variables, read past facts. Names can change at any time.

from __future__ import annotations

from multiprocessing import current_process
from typing import Any, NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import VARIABLE_PREFIX


class Image(NamedTuple):
    """An image as the inventory plugin knows it: none of this is the user's or a fact's to change."""

    name: str
    root: str
    path: str
    playbook: str


def current_host() -> Any:
    """The host of this task. A fact can override `inventory_hostname`, so it is asked of Ansible's worker process itself."""
    host = getattr(current_process(), "_host", None)
    if host is None:
        raise RunnerError("this version of ansible-core is not supported: its worker process does not tell the host")
    return host


def image_of(host: Any) -> Image | None:
    """The image that a host is, or None for a host of another kind. Reads only what the inventory set for this host itself."""
    own = host.get_vars()
    values = [own.get(f"{VARIABLE_PREFIX}{name}") for name in ("root", "path", "playbook")]
    return None if values[0] is None or values[1] is None else Image(host.name, *(str(value or "") for value in values))


def variables_without_facts(manager: Any, host: Any) -> dict[str, Any]:
    """A host's variables as the user wrote them: inventory, group_vars, host_vars, vars plugins and extra vars.

    Facts outrank all but the last of these, a tree can return any fact, and a fact cache keeps it for the next run. So the manager's
    caches are emptied first. Only for Ansible's worker processes, whose manager is a copy that no other task sees.
    Tried with ansible-core 2.14.18 and 2.19.11; the names of the caches are private to it, so a version without them is refused.
    """
    for cache in ("_fact_cache", "_nonpersistent_fact_cache"):
        if not hasattr(manager, cache):
            raise RunnerError("this version of ansible-core is not supported: its variables cannot be read without facts")
        setattr(manager, cache, {host.name: {}})
    return manager.get_vars(host=host, include_hostvars=False)

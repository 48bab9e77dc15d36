# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: variables of an image's run that nothing overrides: neither a fact of the tree nor a value of the user. Names can change at any time.

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.facts import refuse_overriding_facts
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import unsafe
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import Inner


def pin(inner: Inner, manager: Any) -> None:
    """Pins the run's variables in its manager of variables, and keeps facts away from all others.

    The variables get the precedence of include_vars: above facts and the variables of inventories, plays and tasks. The few things that are
    still above, such as set_fact and the parameters of a role, end the run before a task uses them.
    """
    for name, value in inner.pinned.items():
        manager.set_host_variable(inner.image, name, unsafe(value) if isinstance(value, str) else value)
    refuse_overriding_facts(manager)
    get_vars = manager.get_vars

    def checked(play: Any = None, host: Any = None, *args: Any, **kwargs: Any) -> Any:
        variables = get_vars(play, host, *args, **kwargs)
        if host and host.name == inner.image:
            for name, value in inner.pinned.items():
                if variables[name] != value:
                    raise AnsibleError(f"{name} of image {inner.image} cannot be changed by a task or a role: remove {name}, or use delegate_to")
        return variables

    manager.get_vars = checked

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: variables of this collection on the command line of a playbook. Names can change at any time.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import VARIABLE_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import DERIVED, PLAYBOOK_VARIABLES, VARIABLES
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import nearest_hint


def check_extra_vars(extra: Mapping[str, Any], playbook: str = "") -> None:
    """Refuses each -e of this collection that neither an image nor this playbook of the collection has. Variables of an image need no effect here:
    a file for -e may serve several playbooks."""
    own = PLAYBOOK_VARIABLES.get(playbook, ())
    for name in sorted(name for name in map(str, extra) if name.startswith(VARIABLE_PREFIX)):
        if name in DERIVED:
            raise RunnerError(f"-e {name}: this variable is set by the collection and cannot be set", f"leave out -e {name}")
        if name not in VARIABLES and name not in own:
            raise RunnerError(f"-e {name}: unknown variable{nearest_hint(name, own)}", f"correct the name, or leave out -e {name}")
    for name in own:
        _refuse_empty(name, extra)


def _refuse_empty(name: str, extra: Mapping[str, Any]) -> None:
    if name in extra and (extra[name] is None or not str(extra[name]).strip()):
        raise RunnerError(f"-e {name} is empty", f"give a value, or leave out -e {name}")

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: an image's run, as the maintenance describes the run to its ansible-playbook in an environment variable. Names can change at any time.

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

VARIABLE = "NSPAWN_RUNNER_INNER"


class Inner(NamedTuple):
    """One run of an image's playbook, on its staged tree."""

    image: str
    # Path of the published tree, as the inventory of any other run has it.
    path: str
    # Path of the staged tree, on which this run works instead.
    tree: str
    # Path of the file that this run writes at its end.
    result: str
    # Variables of the image that neither a fact nor group_vars can override.
    pinned: Mapping[str, Any]


def encode(inner: Inner) -> str:
    """The value of the environment variable."""
    return json.dumps(inner._asdict())


def _from_environment() -> Inner | None:
    # Removed from the environment: an ansible-playbook that a task starts is no run of a maintenance.
    text = os.environ.pop(VARIABLE, None)
    return Inner(**json.loads(text)) if text else None


# This process's run; None for a run that no maintenance started. The inventory plugin and the callback share the value.
INNER = _from_environment()

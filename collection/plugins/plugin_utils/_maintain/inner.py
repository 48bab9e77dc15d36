# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what an image's own run is told by the run that started it. Names can change at any time.

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

VARIABLE = "NSPAWN_RUNNER_INNER"


class Inner(NamedTuple):
    """One run of an image's playbook, on its staged tree."""

    image: str
    # Path that the inventory would give.
    path: str
    # Tree that the run works on instead.
    tree: str
    # File for what the run did.
    result: str
    # Variables of the image that neither a fact nor group_vars may override.
    pinned: Mapping[str, Any]


def encode(inner: Inner) -> str:
    """The value of the environment variable."""
    return json.dumps(inner._asdict())


def _taken() -> Inner | None:
    # Taken out: an ansible-playbook that a task starts is no such run.
    text = os.environ.pop(VARIABLE, None)
    return Inner(**json.loads(text)) if text else None


# What this process was told; None in any other run. The inventory plugin and the callback share it.
INNER = _taken()

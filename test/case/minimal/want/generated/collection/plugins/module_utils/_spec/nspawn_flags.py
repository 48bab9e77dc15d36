# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts, src/model/tables.ts: edit that, then run "npm run generate".
#
# The systemd-nspawn command line.

from __future__ import annotations

from typing import Any

# Arguments of every call; {name} is the image, {machine} a unique name.
FLAGS: tuple[str, ...] = ("--quiet", "--machine={machine}")

# Environment of systemd-nspawn itself in every call.
ENVIRONMENT: dict[str, str] = {"SYSTEMD_LOG": "none"}

# Additional arguments for a staged tree, which has no other user until it is published.
STAGED_FLAGS: tuple[str, ...] = ()

# Lowest version of systemd that has all flags of every call.
MINIMUM_SYSTEMD: int = 240

# Flags of an image's variables: one for each value, or for the value `when`; none while the variable `needs` is false.
# Of several flags with a pattern, the first that matches.
VARIABLE_FLAGS: tuple[dict[str, Any], ...] = (
    {
        "variable": "box_binds",
        "needs": None,
        "flag": "--bind={value}",
        "environment": False,
        "when": None,
        "pattern": "^(.+)$",
    },
    {
        "variable": "box_online",
        "needs": None,
        "flag": "--private-network",
        "environment": False,
        "when": False,
        "pattern": None,
    },
)

# Properties of the scope of a container, as in a unit's file.
SCOPE_PROPERTIES: dict[str, str] = {"TasksMax": "10"}

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
FLAGS: tuple[str, ...] = ("--setenv=A={name} it's $(id)",)

# Environment of systemd-nspawn itself in every call.
ENVIRONMENT: dict[str, str] = {"X": "a b{machine}c"}

# Additional arguments for a staged tree, which has no other user until it is published.
STAGED_FLAGS: tuple[str, ...] = ("--y=it's $HOME",)

# Lowest version of systemd that has all flags of every call.
MINIMUM_SYSTEMD: int = 232

# Flags of an image's variables: one for each value, or for the value `when`; none while the variable `needs` is false.
# Of several flags with a pattern, the first that matches.
VARIABLE_FLAGS: tuple[dict[str, Any], ...] = (
    {
        "variable": "n_text",
        "needs": None,
        "flag": "--x=y",
        "environment": False,
        "when": "off",
        "pattern": "^(\\d+|\"x\")$",
    },
)

# Properties of the scope of a container, as in a unit's file.
SCOPE_PROPERTIES: dict[str, str] = {"Description": "it's | `id` \" $x %"}

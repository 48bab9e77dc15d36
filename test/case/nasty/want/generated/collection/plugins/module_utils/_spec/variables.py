# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts, src/model/tables.ts: edit that, then run "npm run generate".
#
# Variables of an image.

from __future__ import annotations

from typing import Any

# For ArgumentSpecValidator.
VARIABLES: dict[str, dict[str, Any]] = {
    "n_text": {"type": "str", "choices": ["on", "off"], "default": "off"},
    "n_parts": {
        "type": "list",
        "elements": "dict",
        "options": {
            "yes": {"type": "str", "choices": ["yes", "no"], "required": True},
            "paths": {"type": "list", "elements": "str", "default": ["#d"]},
        },
    },
}

# Lowest values of numbers.
MINIMUM: dict[str, int] = {}

# Highest values of numbers.
MAXIMUM: dict[str, int] = {}

# Regular expressions of strings, and the end of the sentence "must be ...".
PATTERNS: dict[str, tuple[str, str]] = {}

# Options of the module chroot, and the variables that give them.
CREATION: dict[str, str] = {"made_of": "n_text", "parts": "n_parts"}

# Variables that the collection sets. A playbook that sets one is refused.
DERIVED: tuple[str, ...] = ()

# Variables of the playbooks of the collection, for -e.
PLAYBOOK_VARIABLES: dict[str, list[str]] = {}

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
    "box_job_weight": {"type": "str", "default": "3K"},
    "box_job_share": {"type": "float"},
    "box_job_count": {"type": "int", "default": 5},
    "box_job_places": {"type": "list", "elements": "str"},
    "box_binds": {"type": "list", "elements": "str", "default": []},
    "box_online": {"type": "bool", "default": True},
    "box_lids": {"type": "int", "default": 2},
    "box_labels": {"type": "dict"},
    "box_colour": {"type": "str", "choices": ["red", "green"]},
}

# Lowest values of numbers.
MINIMUM: dict[str, int] = {"box_job_count": 3, "box_lids": 1}

# Highest values of numbers.
MAXIMUM: dict[str, int] = {"box_job_count": 10}

# Regular expressions of strings, and the end of the sentence "must be ...".
PATTERNS: dict[str, tuple[str, str]] = {"box_job_weight": ("^[1-9]K$", "a weight such as 2K")}

# Options of the module chroot, and the variables that give them.
CREATION: dict[str, str] = {}

# Variables that the collection sets. A playbook that sets one is refused.
DERIVED: tuple[str, ...] = ("box_path",)

# Variables of the playbooks of the collection, for -e.
PLAYBOOK_VARIABLES: dict[str, list[str]] = {}

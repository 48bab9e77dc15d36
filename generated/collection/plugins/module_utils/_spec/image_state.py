# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/image-state.ts: edit that, then run "npm run generate".
#
# Types of the fields in the objects of a state file, as names of Python types.

from __future__ import annotations

GENERATION: dict[str, str] = {
    "id": "str",
    "published": "str",
    "retired": "str",
    "in_place": "str",
    "playbook": "str",
    "playbook_sha256": "str",
    "tasks_changed": "int",
    "packages": "list",
    "packages_omitted": "int",
    "size": "int",
    "creation": "dict",
    "mounts": "list",
    "mounts_complete": "bool",
}

CHANGE: dict[str, str] = {"name": "str", "from": "str", "to": "str"}

HOLD: dict[str, str] = {"since": "str", "generation": "str"}

LAST_RUN: dict[str, str] = {
    "started": "str",
    "seconds": "float",
    "result": "str",
    "since": "str",
    "failed_runs": "int",
    "tasks_changed": "int",
    "packages": "list",
    "packages_omitted": "int",
    "skipped_plays": "list",
    "msg": "str",
    "log": "str",
}

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/chroot-module.ts, src/model/doctor-action.ts, src/model/maintain-action.ts: edit that, then run "npm run generate".
#
# Arguments of the modules and actions.

from __future__ import annotations

from typing import Any

CHROOT: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/var/lib/nspawn-runner"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "recreate": {"type": "bool", "default": False},
    "suite": {"type": "str"},
    "bootstrap": {"type": "str", "choices": ["mmdebstrap", "debootstrap", "command", "tarball"]},
    "command": {"type": "list", "elements": "str"},
    "tarball": {"type": "path"},
    "checksum": {"type": "str"},
    "mirror": {"type": "str"},
    "proxy": {"type": "str"},
    "repositories": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "url": {"type": "str"},
            "suite": {"type": "str"},
            "components": {"type": "list", "elements": "str"},
            "keyring": {"type": "path"},
        },
    },
    "components": {"type": "list", "elements": "str", "default": ["main"]},
    "architecture": {"type": "str"},
    "variant": {"type": "str", "choices": ["minbase", "buildd"], "default": "minbase"},
    "packages": {"type": "list", "elements": "str", "default": []},
    "keyring": {"type": "path"},
}

DOCTOR: dict[str, dict[str, Any]] = {}

GENERATIONS: dict[str, dict[str, Any]] = {}

MAINTAIN: dict[str, dict[str, Any]] = {"create_only": {"type": "bool", "default": False}}

REMOVE: dict[str, dict[str, Any]] = {"name": {"type": "str", "required": True}}

ROLLBACK: dict[str, dict[str, Any]] = {"generation": {"type": "str"}, "release": {"type": "bool", "default": False}}

STATUS: dict[str, dict[str, Any]] = {"format": {"type": "str", "choices": ["table", "json"], "default": "table"}}

SUMMARY: dict[str, dict[str, Any]] = {"register": {"type": "str", "required": True}}

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts: edit that, then run "npm run generate".
#
# Arguments of the modules and actions.

from __future__ import annotations

from typing import Any

NASTY: dict[str, dict[str, Any]] = {
    "word": {"type": "str", "choices": ["yes", "no", "on", "1", "0x1f", "null", "1:30", "="], "default": "no"},
    "text": {"type": "str", "default": "/srv/a b'c$d"},
    "list": {
        "type": "list",
        "elements": "str",
        "default": [
            "",
            " ",
            "a: b",
            "- c",
            "#d",
            "\"",
            "\\",
            "{{ e }}",
            "%f",
            "@g",
            "`h",
            "\n",
            "\xe9",
            "yes",
            "1e3",
            "012",
        ],
    },
    "dict": {"type": "dict", "default": {"a: b": "null", "yes": "~", "x": ""}},
    "made_of": {"type": "str", "choices": ["on", "off"], "default": "off"},
    "parts": {
        "type": "list",
        "elements": "dict",
        "options": {
            "yes": {"type": "str", "choices": ["yes", "no"], "required": True},
            "paths": {"type": "list", "elements": "str", "default": ["#d"]},
        },
    },
}

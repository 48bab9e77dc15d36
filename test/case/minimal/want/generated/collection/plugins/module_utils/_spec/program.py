# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# The command line of the program box-er.

from __future__ import annotations

from typing import Any

# Options before the verb, and the verbs. `nargs` is argparse's; "..." takes all words that follow. An option is absent where neither the command
# line nor the variable `env` of the environment sets it: then `default` holds.
PROGRAM: dict[str, Any] = {
    "name": "box-er",
    "description": "Opens boxes.",
    "options": [
        {
            "flags": ["--root"],
            "name": "root",
            "metavar": "DIR",
            "type": "string",
            "default": "/srv/boxes",
            "env": "BOXES",
            "choices": None,
            "help": "Where boxes are.",
        },
        {
            "flags": ["--loud", "-l"],
            "name": "loud",
            "metavar": None,
            "type": "flag",
            "default": False,
            "env": None,
            "choices": None,
            "help": "Say more.",
        },
    ],
    "verbs": [
        {
            "name": "open",
            "summary": "Opens a box.",
            "description": "Opens a box. The lid stays.",
            "arguments": [
                {"name": "box", "metavar": "BOX", "help": "The box.", "nargs": None},
                {"name": "tool", "metavar": "TOOL", "help": "What opens the box.", "nargs": "..."},
            ],
            "options": [
                {
                    "flags": ["--lids"],
                    "name": "lids",
                    "metavar": "N",
                    "type": "integer",
                    "default": 2,
                    "env": None,
                    "choices": None,
                    "help": "Number of lids.",
                },
                {
                    "flags": ["--colour"],
                    "name": "colour",
                    "metavar": "C",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": ["red", "green"],
                    "help": "Colour.",
                },
                {
                    "flags": ["--label"],
                    "name": "label",
                    "metavar": "TEXT",
                    "type": "list",
                    "default": [],
                    "env": None,
                    "choices": None,
                    "help": "A label.",
                },
            ],
            "examples": ["box-er open a -- knife"],
        },
        {
            "name": "close",
            "summary": "Closes all boxes.",
            "description": "Closes all boxes.",
            "arguments": [],
            "options": [],
            "examples": [],
        },
    ],
}

# Exit statuses of the program itself.

# A lid is stuck.
EXIT_STUCK: int = 3

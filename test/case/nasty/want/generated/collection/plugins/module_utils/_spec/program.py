# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# The command line of the program n-s.

from __future__ import annotations

from typing import Any

# Options before the verb, and the verbs. `nargs` is argparse's; "..." takes all words that follow. An option is absent where neither the command
# line nor the variable `env` of the environment sets it: then `default` holds.
PROGRAM: dict[str, Any] = {
    "name": "n-s",
    "description": "A pipe | in a table, <b>html</b> and *stars* with `code`.",
    "options": [
        {
            "flags": ["--root"],
            "name": "root",
            "metavar": "DIR",
            "type": "string",
            "default": "/srv/a b'c$d",
            "env": None,
            "choices": None,
            "help": "A `|` and \"quotes\".",
        },
    ],
    "verbs": [
        {
            "name": "x",
            "summary": "It's $HOME.",
            "description": "It's $HOME.",
            "arguments": [{"name": "job", "metavar": "JOB", "help": "A job.", "nargs": "*"}],
            "options": [
                {
                    "flags": ["-c", "--choice-of"],
                    "name": "choice_of",
                    "metavar": "C",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": ["it's", "$(id)", "a|b"],
                    "help": "One.",
                },
            ],
            "examples": [],
        },
    ],
}

# Exit statuses of the program itself.


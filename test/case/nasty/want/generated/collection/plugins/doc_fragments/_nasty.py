# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts: edit that, then run "npm run generate".
#
# Options of nasty.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = "\nversion_added: 1.0.0\ndescription:\n  - Says \"\"\" and ends in a backslash \\.\n  - \"- a list that is none: yes.\"\n  - It's \"quoted\", {braced}, [bracketed] and \xe9\xe0\xfc.\nattributes:\n  check_mode:\n    support: none\n  diff_mode:\n    support: none\n  platform:\n    support: full\n    platforms: linux\noptions:\n  word:\n    description:\n      - \"A switch that YAML takes for a boolean: C(yes), C(on), C(').\"\n    type: str\n    choices:\n      - \"yes\"\n      - \"no\"\n      - \"on\"\n      - \"1\"\n      - \"0x1f\"\n      - \"null\"\n      - \"1:30\"\n      - \"=\"\n    default: \"no\"\n  text:\n    description:\n      - Text.\n    type: str\n    default: /srv/a b'c$d\n  list:\n    description:\n      - A list.\n    type: list\n    elements: str\n    default:\n      - \"\"\n      - \" \"\n      - \"a: b\"\n      - \"- c\"\n      - \"#d\"\n      - '\"'\n      - \\\n      - \"{{ e }}\"\n      - \"%f\"\n      - \"@g\"\n      - \"`h\"\n      - |+\n        \n      - \xe9\n      - \"yes\"\n      - \"1e3\"\n      - \"012\"\n  dict:\n    description:\n      - A dictionary.\n    type: dict\n    default:\n      \"a: b\": \"null\"\n      \"yes\": \"~\"\n      x: \"\"\n  made_of:\n    description:\n      - A word, not C(made_of), in C({place}).\n    type: str\n    choices:\n      - \"on\"\n      - \"off\"\n    default: \"off\"\n  parts:\n    description:\n      - Parts, each with C(made_of).\n    type: list\n    elements: dict\n    suboptions:\n      \"yes\":\n        description:\n          - A word | that YAML takes for a boolean.\n        type: str\n        required: true\n        choices:\n          - \"yes\"\n          - \"no\"\n      paths:\n        description:\n          - A list of C(made_of).\n        type: list\n        elements: str\n        default:\n          - \"#d\"\n"

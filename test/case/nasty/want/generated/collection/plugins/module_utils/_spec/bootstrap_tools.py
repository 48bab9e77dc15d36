# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# The programs that make a tree, in order of preference.

from __future__ import annotations

from typing import Any

# {suite}, {tree}, {mirror} and so on are replaced in arguments and configuration lines; one with an unset value is left out.
# {sources...} becomes an argument per repository.
BOOTSTRAP_TOOLS: tuple[dict[str, Any], ...] = (
    {
        "name": "b",
        "program": "b",
        "package": "b",
        "under": None,
        "arguments": ("--a='{suite}'", "--b=\"{tree}\"", "\U0001f4e6 \xe9"),
        "suite_files": (),
        "upgrade": False,
        "config_variable": None,
        "config_lines": (),
        "leftovers": (),
    },
)

# Packages of every image.
BASE_PACKAGES: tuple[str, ...] = ()

# Variables of the environment and capabilities that the programs of a creation keep.
KEPT_VARIABLES: tuple[str, ...] = ("A|B", "`C`")
KEPT_CAPABILITIES: tuple[str, ...] = ()

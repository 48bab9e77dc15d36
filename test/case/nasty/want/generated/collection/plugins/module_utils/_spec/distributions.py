# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# Distributions that the bootstrap tools make, with their own archives.

from __future__ import annotations

from typing import Any

DISTRIBUTIONS: tuple[dict[str, Any], ...] = (
    {
        "name": "d",
        "origin": "A \"quoted\" it's",
        "suites": "(?!\\d|x$).*",
        "architectures": "a|b",
        "mirror": "http://mirror.example.org/a|b",
        "keyring": "/k $x `y`",
        "package": "p",
        "components": ("<b>",),
    },
)

# Parts of the archives with newer packages: {suite} and {mirror} are replaced.
POCKETS: tuple[dict[str, Any], ...] = ()

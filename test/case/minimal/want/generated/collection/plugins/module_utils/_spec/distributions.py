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
        "name": "cardboard",
        "origin": "Cardboard",
        "suites": "brown|white",
        "architectures": ".*",
        "mirror": "http://cardboard.example.org/boxes",
        "keyring": "/usr/share/keyrings/cardboard.gpg",
        "package": "cardboard-keyring",
        "components": ("main",),
    },
)

# Parts of the archives with newer packages: {suite} and {mirror} are replaced.
POCKETS: tuple[dict[str, Any], ...] = (
    {
        "name": "updates",
        "distribution": "cardboard",
        "suites": "brown",
        "suite": "{suite}-updates",
        "beside": "{mirror}",
        "mirror": None,
    },
)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts: edit that, then run "npm run generate".
#
# Types of the fields in the objects of a state file, as names of Python types.

from __future__ import annotations

LID: dict[str, str] = {"colour": "str", "count": "int", "words": "list"}

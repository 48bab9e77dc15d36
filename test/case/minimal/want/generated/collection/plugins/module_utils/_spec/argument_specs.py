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

BOX: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "colours": {"type": "list", "elements": "str", "choices": ["red", "green"], "default": ["red"]},
}

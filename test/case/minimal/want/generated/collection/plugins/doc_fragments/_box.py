# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts: edit that, then run "npm run generate".
#
# Options of box.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 1.0.0
description:
  - Makes a box.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: linux
options:
  name:
    description:
      - Name of the box.
    type: str
    required: true
  colours:
    description:
      - Colours that the box gets, such as C(red).
    type: list
    elements: str
    choices:
      - red
      - green
    default:
      - red
"""

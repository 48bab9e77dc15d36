# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts: edit that, then run "npm run generate".
#
# Options of boxes.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 1.0.0
description:
  - Lists boxes.
  - A box is a directory. An empty one is a box too.
options:
  plugin:
    description:
      - The name of this plugin.
    type: str
    required: true
    choices:
      - acme.boxes.boxes
  root:
    description:
      - Where boxes are.
    type: path
    default: /srv/boxes
    env:
      - name: BOX_ROOT
    version_added: 1.1.0
"""

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts: edit that, then run "npm run generate".
#
# Options of box_vars.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 1.0.0
description:
  - Gives variables to boxes.
options:
  files:
    description:
      - Files that are read, in this order.
    type: list
    elements: path
    env:
      - name: BOX_FILES
      - name: BOX_FILE_LIST
    ini:
      - section: boxes
        key: files
    vars:
      - name: box_files
"""

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/maintain-action.ts: edit that, then run "npm run generate".
#
# Options of status.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 0.1.0
description:
  - "Shows the present state of each image: system, result of the last run and since when runs end like this, failed
    runs in a row, age and size of the tree, hold, and the containers, processes and mounts that use the image's trees."
  - The action shows all images of the play at once, so call it with C(run_once). It changes nothing, and takes no lock.
    The sizes of all trees together may take 20 seconds, where the maintenance has not recorded them. Other sizes are
    not shown.
  - "An image has a problem when its last run failed, its tree is missing, or its playbook or its record cannot be used.
    The action itself does not fail: the playbook C(nspawn.runner.status) fails when an image has a problem."
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: linux
options:
  format:
    description:
      - "A table, or one line of JSON for programs: the only line of the output that begins with a brace."
    type: str
    choices:
      - table
      - json
    default: table
"""

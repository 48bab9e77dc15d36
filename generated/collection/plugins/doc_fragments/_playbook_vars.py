# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/playbook-vars.ts: edit that, then run "npm run generate".
#
# Options of playbook_vars.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  root:
    description:
      - Directory that holds one tree per image.
    type: path
    default: /var/lib/nspawn-runner
    env:
      - name: NSPAWN_RUNNER_ROOT
    ini:
      - section: nspawn_runner
        key: root
  playbook_dirs:
    description:
      - Directories that are searched for playbooks, each named after its image.
      - The first match wins.
      - "Without this option: the directory of the inventory, then C(/etc/nspawn-runner), then the root directory."
    type: list
    elements: path
    env:
      - name: NSPAWN_RUNNER_PLAYBOOK_DIRS
    ini:
      - section: nspawn_runner
        key: playbook_dirs
"""

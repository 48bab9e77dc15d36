# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/chroots-inventory.ts: edit that, then run "npm run generate".
#
# Options of chroots.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  plugin:
    description:
      - The name of this plugin.
    type: str
    required: true
    choices:
      - nspawn.runner.chroots
  root:
    description:
      - Directory that holds one tree per image.
      - "It need not exist yet: then all images are missing."
    type: path
    default: /var/lib/nspawn-runner
    env:
      - name: NSPAWN_RUNNER_ROOT
  playbook_dirs:
    description:
      - Directories that are searched for playbooks, each named after its image.
      - The first match wins, and C(.yaml) wins over C(.yml) in one directory.
      - A relative path starts at the inventory file's directory.
      - "Without this option: the directory of the inventory file, then C(/etc/nspawn-runner), then the root directory."
    type: list
    elements: path
  connection:
    description:
      - Connection plugin that the images are entered by.
    type: str
    default: community.general.chroot
  include:
    description:
      - Only images whose name matches one of these globs are listed.
    type: list
    elements: str
    default:
      - "*"
  exclude:
    description:
      - Images whose name matches one of these globs are not listed.
    type: list
    elements: str
    default: []
"""

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
version_added: 0.1.0
description:
  - Gives the C(nspawn_runner_*) variables of an image's playbook to the host of that name.
  - The plugin is for static inventories and for the hosts of the group C(nspawn_runner); the inventory plugin
    C(nspawn.runner.chroots) gives the same variables by itself. The plugin never gives a connection or a path.
  - For a playbook that cannot be used, and for a host with a name that no image can have, the plugin gives the variable
    C(nspawn_runner_error) instead, and a warning.
  - A vars plugin of a collection must be enabled, as in C(vars_plugins_enabled = host_group_vars,
    nspawn.runner.playbook_vars).
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
      - Directories that are searched for playbooks, each named after an image.
      - The first match wins, and a warning names a second playbook.
      - A path that is no directory is an error.
      - The default is the directory of the inventory, then the root directory.
      - So the playbooks in C(/etc/nspawn-runner) count when the inventory lies there, or when this option names the
        directory.
    type: list
    elements: path
    env:
      - name: NSPAWN_RUNNER_PLAYBOOK_DIRS
    ini:
      - section: nspawn_runner
        key: playbook_dirs
"""

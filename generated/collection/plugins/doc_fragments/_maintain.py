# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/maintain-action.ts: edit that, then run "npm run generate".
#
# Options of maintain.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
short_description: Creates one image when it is missing and runs its own playbook
version_added: 0.1.0
description:
  - Creates one image when it is missing and runs its own playbook.
  - It acts on the host C(inventory_hostname), an image of the inventory plugin C(nspawn.runner.chroots), and runs on
    the controller, as root. The playbook runs in an C(ansible-playbook) of its own, limited to this image, with the
    inventory, configuration and flags of this run. What that run prints is shown line by line behind the image's name,
    and kept whole in the file that C(log) names.
attributes:
  check_mode:
    support: full
    description:
      - Can run in check mode and return the changed status without modifying the target.
  diff_mode:
    support: full
    description:
      - Returns what has changed, or would change, in diff mode.
options:
  create_only:
    description:
      - Only creates the image, and runs its playbook only when it was created.
    type: bool
    default: false
"""

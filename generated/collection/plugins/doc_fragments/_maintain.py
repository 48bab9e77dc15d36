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
version_added: 0.1.0
description:
  - "Creates or maintains one image: the image's playbook runs in a staged tree, which is then published."
  - The action works on the host C(inventory_hostname), an image of the inventory plugin C(nspawn.runner.chroots), and
    runs on the controller, as root.
  - "The staged tree is a new tree when the image is missing or C(nspawn_runner_maint_recreate) is set. Otherwise it is
    a copy of the published tree: a snapshot on btrfs, a copy with shared blocks where the file system supports
    reflinks, else a plain copy."
  - The playbook runs in an C(ansible-playbook) of its own, limited to this image, with the inventory, configuration and
    flags of this run. The output of that run is shown line by line behind the image's name, and kept in the file that
    C(log) names.
  - "When the playbook has run to its end, the staged tree takes the place of the published tree in one step. The old
    tree becomes a generation: running jobs keep it, and C(nspawn.runner.rollback) can put it back. When nothing in the
    tree has changed, or the playbook failed, the staged tree is removed and the image stays unchanged."
  - An image on hold after a rollback is skipped until it is released.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: linux
options:
  create_only:
    description:
      - Only creates a missing image and runs its playbook.
      - An existing image is skipped.
    type: bool
    default: false
"""

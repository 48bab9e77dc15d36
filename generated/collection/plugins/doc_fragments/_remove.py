# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/maintain-action.ts: edit that, then run "npm run generate".
#
# Options of remove.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 0.1.0
description:
  - "Removes one image from this host: the tree, the earlier trees, the log and all other private files."
  - "The action works on the controller, as root, in the root directory of the inventory plugin
    C(nspawn.runner.chroots), whatever the host of the task is. A job on one of the trees keeps the whole image: nothing
    is removed then. The image's playbook stays."
  - A removal that is killed is completed by the next one of the same name.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: linux
options:
  name:
    description:
      - Name of the image.
      - An empty text is refused.
    type: str
    required: true
"""

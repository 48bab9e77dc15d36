# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/maintain-action.ts: edit that, then run "npm run generate".
#
# Options of rollback.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 0.1.0
description:
  - Puts an earlier tree of one image back in its place, or releases the image afterwards.
  - "The action works on the host C(inventory_hostname), like C(nspawn.runner.maintain), and only in a run with
    C(--limit). The swap is one step: a job sees one complete tree, the old or the new. The replaced tree becomes a
    generation, so that a rollback can be rolled back."
  - "From then on the image is on hold: maintenance skips the image, so that the undone changes do not come back.
    Release the image when its playbook is fixed."
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: linux
options:
  generation:
    description:
      - Generation to put in the image's place, as C(nspawn.runner.generations) lists it.
      - The default, also for an empty text, is the generation that was last in the image's place, of those older than
        the present tree.
    type: str
  release:
    description:
      - "Ends the hold and swaps nothing: the next maintenance works on the image again."
    type: bool
    default: false
"""

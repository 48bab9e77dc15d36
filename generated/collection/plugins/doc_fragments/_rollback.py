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
short_description: Puts an earlier tree of one image back in its place, or releases the image afterwards
version_added: 0.1.0
description:
  - Puts an earlier tree of one image back in its place, or releases the image afterwards.
  - "It acts on the host C(inventory_hostname), like C(nspawn.runner.maintain), and only in a run with C(--limit). The
    swap is one step: a job sees one tree or the other, whole. The tree that was in the place becomes a generation, so
    that a rollback can be rolled back."
  - "From then on the image is on hold: maintenance leaves it alone, so that it does not bring back what the rollback
    undid. Release it when its playbook is mended."
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
      - "Without it, or when it is empty: of those older than the present tree, the one that was in the image's place
        last."
    type: str
  release:
    description:
      - "Swaps nothing and ends the hold: the next maintenance works on the image again."
    type: bool
    default: false
"""

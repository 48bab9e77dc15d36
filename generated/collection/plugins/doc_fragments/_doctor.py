# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/doctor-action.ts: edit that, then run "npm run generate".
#
# Options of doctor.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 0.1.0
description:
  - "Shows whether this host is ready to make and maintain images, as a table: a line per check with C(ok), C(warning)
    or C(problem), and the remedy."
  - The action checks the controller and the images of the inventory, or those of C(--limit), whatever the host of the
    task is. It starts a container with the host's programs, runs no program of a tree, and changes nothing.
  - A problem makes a maintenance fail. A warning does not, but has caused trouble on other hosts.
  - "The action itself does not fail: the findings are in C(problems) and C(warnings_found). The playbook
    C(nspawn.runner.doctor) fails when there is a problem."
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: linux
options: {}
"""

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# Names that more than one language needs.

from __future__ import annotations

# Where boxes are.
ROOT: str = "/srv/boxes"

# Where playbooks are.
PLAYBOOK_DIRECTORY: str = "/etc/boxes"

# Prefix of variables.
VARIABLE_PREFIX: str = "box_"

# Where jobs are.
JOBS_DIRECTORY: str = "/run/boxes"

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# Names that more than one language needs.

from __future__ import annotations

# A root with a space and a `$`.
ROOT: str = "/srv/a b'c$d"

# A directory that a shell would take apart.
PLAYBOOK_DIRECTORY: str = "/etc/it's $HOME `id` \\ \"x\""

# Jobs.
JOBS_DIRECTORY: str = "/run/it's $HOME"

# Prefix of variables.
VARIABLE_PREFIX: str = "n_"

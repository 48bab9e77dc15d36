# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/exit-statuses.ts: edit that, then run "npm run generate".
#
# Exit statuses of nspawn-chroot itself.

from __future__ import annotations

# A maintenance, a job or another command holds the tree. No container was started.
BUSY: int = 75

# The wrapper itself failed. No container was started.
FAILED: int = 125

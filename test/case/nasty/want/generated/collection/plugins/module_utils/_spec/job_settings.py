# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/content.ts: edit that, then run "npm run generate".
#
# Settings of an image for jobs, which the program reads.

from __future__ import annotations

from typing import TypedDict

# Variables of these settings begin with this.
JOB_PREFIX: str = "n_job_"


class JobSettings(TypedDict, total=False):
    pass


# Settings that an image does not have are absent here and have no limit.
DEFAULTS: JobSettings = {}

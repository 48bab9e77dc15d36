# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/image-variables.ts: edit that, then run "npm run generate".
#
# Settings of an image for jobs, which the program reads.

from __future__ import annotations

from typing import TypedDict

# Variables of these settings begin with this.
JOB_PREFIX: str = "nspawn_runner_job_"


class JobSettings(TypedDict, total=False):
    allowed: bool
    boot: bool
    storage: str
    disk: str
    memory: str
    swap: str
    cpus: float
    cpu_weight: int
    pids: int
    network: str
    binds: list[str]
    environment: dict[str, str]
    capabilities: list[str]
    user_namespace: bool
    user: str
    cache: str
    keep_failed: int


# Settings that an image does not have are absent here and have no limit.
DEFAULTS: JobSettings = {
    "allowed": True,
    "boot": False,
    "storage": "overlay",
    "memory": "40%",
    "swap": "0",
    "cpu_weight": 50,
    "pids": 16384,
    "network": "host",
    "binds": [],
    "environment": {},
    "capabilities": [],
    "user_namespace": True,
    "user": "root",
    "cache": "10G",
    "keep_failed": 0,
}

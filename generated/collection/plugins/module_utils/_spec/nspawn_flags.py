# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/nspawn-flags.ts: edit that, then run "npm run generate".
#
# The systemd-nspawn command line.

from __future__ import annotations

from typing import Any

# Arguments of every call; {name} is the image, {machine} a unique name.
FLAGS: tuple[str, ...] = (
    "--register=no",
    "--keep-unit",
    "--settings=no",
    "--quiet",
    "--console=pipe",
    "--as-pid2",
    "--link-journal=no",
    "--timezone=off",
    "--resolv-conf=off",
    "--machine={machine}",
    "--hostname={name}",
    "--drop-capability=CAP_MKNOD",
    "--setenv=SYSTEMD_OFFLINE=1",
)

# Environment of systemd-nspawn itself in every call.
ENVIRONMENT: dict[str, str] = {"SYSTEMD_NSPAWN_TMPFS_TMP": "0", "SYSTEMD_LOG_TARGET": "console"}

# Additional arguments for a staged tree, which has no other user until it is published.
STAGED_FLAGS: tuple[str, ...] = ("--setenv=DPKG_FORCE=security-mac,downgrade,unsafe-io",)

# Lowest version of systemd that has all flags of every call.
MINIMUM_SYSTEMD: int = 248

# Flags of an image's variables: one for each value, or for the value `when`. Of several flags with a pattern, the first that matches.
VARIABLE_FLAGS: tuple[dict[str, Any], ...] = (
    {
        "variable": "nspawn_runner_binds",
        "flag": "--bind-ro={value}",
        "environment": False,
        "when": None,
        "pattern": "^(.+):ro$",
    },
    {
        "variable": "nspawn_runner_binds",
        "flag": "--bind={value}",
        "environment": False,
        "when": None,
        "pattern": "^(.+)$",
    },
    {
        "variable": "nspawn_runner_environment",
        "flag": "--setenv={value}",
        "environment": False,
        "when": None,
        "pattern": None,
    },
    {
        "variable": "nspawn_runner_network",
        "flag": "--private-network",
        "environment": False,
        "when": "none",
        "pattern": None,
    },
    {
        "variable": "nspawn_runner_seccomp",
        "flag": "SYSTEMD_SECCOMP=0",
        "environment": True,
        "when": False,
        "pattern": None,
    },
    {
        "variable": "nspawn_runner_capabilities",
        "flag": "--capability={value}",
        "environment": False,
        "when": None,
        "pattern": None,
    },
)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/nspawn-flags.ts, src/model/scope-properties.ts: edit that, then run "npm run generate".
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
    "--link-journal=no",
    "--timezone=off",
    "--resolv-conf=off",
    "--machine={machine}",
    "--hostname={name}",
    "--private-users=pick",
    "--private-users-ownership=map",
    "--drop-capability=CAP_MKNOD",
    "--setenv=NSPAWN_RUNNER_ENVIRONMENT",
    "--setenv=SYSTEMD_OFFLINE=1",
)

# Environment of systemd-nspawn itself in every call.
ENVIRONMENT: dict[str, str] = {"SYSTEMD_NSPAWN_TMPFS_TMP": "0", "SYSTEMD_LOG_TARGET": "console"}

# Additional arguments for a staged tree, which has no other user until it is published.
STAGED_FLAGS: tuple[str, ...] = ("--setenv=DPKG_FORCE=security-mac,downgrade,unsafe-io",)

# Lowest version of systemd that has all flags of every call.
MINIMUM_SYSTEMD: int = 249

# Flags of an image's variables: one for each value, or for the value `when`; none while the variable `needs` is false.
# Of several flags with a pattern, the first that matches.
VARIABLE_FLAGS: tuple[dict[str, Any], ...] = (
    {
        "variable": "nspawn_runner_user_namespace",
        "needs": None,
        "flag": "--private-users=no",
        "environment": False,
        "when": False,
        "pattern": None,
    },
    {
        "variable": "nspawn_runner_binds",
        "needs": "nspawn_runner_user_namespace",
        "flag": "--bind-ro={value}:idmap",
        "environment": False,
        "when": None,
        "pattern": "^(?!/dev(?:[/:]|$))(.+):ro$",
    },
    {
        "variable": "nspawn_runner_binds",
        "needs": "nspawn_runner_user_namespace",
        "flag": "--bind={value}:{value}:idmap",
        "environment": False,
        "when": None,
        "pattern": "^(?!/dev(?:[/:]|$))((?:[^:\\\\]|\\\\.)+)$",
    },
    {
        "variable": "nspawn_runner_binds",
        "needs": "nspawn_runner_user_namespace",
        "flag": "--bind={value}:idmap",
        "environment": False,
        "when": None,
        "pattern": "^(?!/dev(?:[/:]|$))(.+)$",
    },
    {
        "variable": "nspawn_runner_binds",
        "needs": None,
        "flag": "--bind-ro={value}",
        "environment": False,
        "when": None,
        "pattern": "^(.+):ro$",
    },
    {
        "variable": "nspawn_runner_binds",
        "needs": None,
        "flag": "--bind={value}",
        "environment": False,
        "when": None,
        "pattern": "^(.+)$",
    },
    {
        "variable": "nspawn_runner_environment",
        "needs": None,
        "flag": "--setenv={value}",
        "environment": False,
        "when": None,
        "pattern": None,
    },
    {
        "variable": "nspawn_runner_network",
        "needs": None,
        "flag": "--private-network",
        "environment": False,
        "when": "none",
        "pattern": None,
    },
    {
        "variable": "nspawn_runner_seccomp",
        "needs": None,
        "flag": "SYSTEMD_SECCOMP=0",
        "environment": True,
        "when": False,
        "pattern": None,
    },
    {
        "variable": "nspawn_runner_capabilities",
        "needs": None,
        "flag": "--capability={value}",
        "environment": False,
        "when": None,
        "pattern": None,
    },
)

# Properties of the scope of a container, as in a unit's file.
SCOPE_PROPERTIES: dict[str, str] = {
    "Slice": "nspawn-runner.slice",
    "Delegate": "yes",
    "CollectMode": "inactive-or-failed",
    "DevicePolicy": "closed",
    "MemoryMax": "80%",
    "TasksMax": "16384",
}

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/image-variables.ts, src/model/playbooks.ts: edit that, then run "npm run generate".
#
# Variables of an image.

from __future__ import annotations

from typing import Any

# For ArgumentSpecValidator.
VARIABLES: dict[str, dict[str, Any]] = {
    "nspawn_runner_chroot_suite": {"type": "str"},
    "nspawn_runner_bootstrap": {"type": "str", "choices": ["mmdebstrap", "debootstrap", "command", "tarball"]},
    "nspawn_runner_create_command": {"type": "list", "elements": "str"},
    "nspawn_runner_tarball": {"type": "path"},
    "nspawn_runner_tarball_checksum": {"type": "str"},
    "nspawn_runner_mirror": {"type": "str"},
    "nspawn_runner_proxy": {"type": "str"},
    "nspawn_runner_repositories": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "url": {"type": "str"},
            "suite": {"type": "str"},
            "components": {"type": "list", "elements": "str"},
            "keyring": {"type": "path"},
        },
    },
    "nspawn_runner_components": {"type": "list", "elements": "str", "default": ["main"]},
    "nspawn_runner_architecture": {"type": "str"},
    "nspawn_runner_variant": {"type": "str", "choices": ["minbase", "buildd"], "default": "minbase"},
    "nspawn_runner_packages": {"type": "list", "elements": "str", "default": []},
    "nspawn_runner_keyring": {"type": "path"},
    "nspawn_runner_maint_recreate": {"type": "bool", "default": False},
    "nspawn_runner_keep_generations": {"type": "int", "default": 2},
    "nspawn_runner_keep_days": {"type": "int", "default": 7},
    "nspawn_runner_check_tree": {"type": "bool", "default": True},
    "nspawn_runner_ignored_paths": {"type": "list", "elements": "str", "default": []},
    "nspawn_runner_state_group": {"type": "str"},
    "nspawn_runner_hold_days": {"type": "int"},
    "nspawn_runner_timeout": {"type": "int", "default": 14400},
    "nspawn_runner_keep_failed": {"type": "bool", "default": False},
    "nspawn_runner_binds": {"type": "list", "elements": "str", "default": []},
    "nspawn_runner_user_namespace": {"type": "bool", "default": True},
    "nspawn_runner_environment": {"type": "dict", "default": {}},
    "nspawn_runner_network": {"type": "str", "choices": ["host", "none"], "default": "host"},
    "nspawn_runner_seccomp": {"type": "bool", "default": True},
    "nspawn_runner_capabilities": {"type": "list", "elements": "str", "default": []},
    "nspawn_runner_job_allowed": {"type": "bool", "default": True},
    "nspawn_runner_job_boot": {"type": "bool", "default": False},
    "nspawn_runner_job_storage": {"type": "str", "choices": ["overlay", "tmpfs", "snapshot"], "default": "overlay"},
    "nspawn_runner_job_disk": {"type": "str"},
    "nspawn_runner_job_memory": {"type": "str", "default": "40%"},
    "nspawn_runner_job_swap": {"type": "str", "default": "0"},
    "nspawn_runner_job_cpus": {"type": "float"},
    "nspawn_runner_job_cpu_weight": {"type": "int", "default": 50},
    "nspawn_runner_job_pids": {"type": "int", "default": 16384},
    "nspawn_runner_job_network": {"type": "str", "choices": ["host", "private", "none"], "default": "host"},
    "nspawn_runner_job_binds": {"type": "list", "elements": "str", "default": []},
    "nspawn_runner_job_environment": {"type": "dict", "default": {}},
    "nspawn_runner_job_capabilities": {"type": "list", "elements": "str", "default": []},
    "nspawn_runner_job_user_namespace": {"type": "bool", "default": True},
    "nspawn_runner_job_user": {"type": "str", "default": "root"},
    "nspawn_runner_job_cache": {"type": "str", "default": "10G"},
    "nspawn_runner_job_keep_failed": {"type": "int", "default": 0},
}

# Lowest values of numbers.
MINIMUM: dict[str, int] = {
    "nspawn_runner_keep_generations": 0,
    "nspawn_runner_keep_days": 0,
    "nspawn_runner_hold_days": 0,
    "nspawn_runner_timeout": 1,
    "nspawn_runner_job_cpu_weight": 1,
    "nspawn_runner_job_pids": 16,
    "nspawn_runner_job_keep_failed": 0,
}

# Highest values of numbers.
MAXIMUM: dict[str, int] = {"nspawn_runner_job_cpu_weight": 10000}

# Regular expressions of strings, and the end of the sentence "must be ...".
PATTERNS: dict[str, tuple[str, str]] = {
    "nspawn_runner_job_disk": ("^[1-9][0-9]{0,5}[KMGT]$", "a size in bytes with a unit of 1024, such as 512M or 2G"),
    "nspawn_runner_job_memory": (
        "^([1-9][0-9]{0,5}[KMGT]|([1-9][0-9]?|100)%)$",
        "a size such as 512M or 2G, or a part of the host's memory such as 40%",
    ),
    "nspawn_runner_job_swap": ("^(0|[1-9][0-9]{0,5}[KMGT])$", "a size such as 512M or 2G, or 0 for none"),
    "nspawn_runner_job_user": (
        "^([a-z_][a-z0-9_-]{0,31}|0|[1-9][0-9]{0,4})$",
        "a name of a user such as build, or a number of a user such as 1000",
    ),
    "nspawn_runner_job_cache": ("^(0|[1-9][0-9]{0,5}[KMGT])$", "a size such as 512M or 2G, or 0 for none"),
}

# Options of the module chroot, and the variables that give them.
CREATION: dict[str, str] = {
    "suite": "nspawn_runner_chroot_suite",
    "bootstrap": "nspawn_runner_bootstrap",
    "command": "nspawn_runner_create_command",
    "tarball": "nspawn_runner_tarball",
    "checksum": "nspawn_runner_tarball_checksum",
    "mirror": "nspawn_runner_mirror",
    "proxy": "nspawn_runner_proxy",
    "repositories": "nspawn_runner_repositories",
    "components": "nspawn_runner_components",
    "architecture": "nspawn_runner_architecture",
    "variant": "nspawn_runner_variant",
    "packages": "nspawn_runner_packages",
    "keyring": "nspawn_runner_keyring",
}

# Variables that the collection sets. A playbook that sets one is refused.
DERIVED: tuple[str, ...] = (
    "nspawn_runner_error",
    "nspawn_runner_os",
    "nspawn_runner_path",
    "nspawn_runner_playbook",
    "nspawn_runner_present",
    "nspawn_runner_root",
    "nspawn_runner_tree",
)

# Variables of the playbooks of the collection, for -e.
PLAYBOOK_VARIABLES: dict[str, list[str]] = {
    "nspawn.runner.rollback": ["nspawn_runner_generation"],
    "nspawn.runner.remove": ["nspawn_runner_remove"],
    "nspawn.runner.status": ["nspawn_runner_status_format"],
}

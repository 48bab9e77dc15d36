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
}

# Lowest values of numbers.
MINIMUM: dict[str, int] = {
    "nspawn_runner_keep_generations": 0,
    "nspawn_runner_keep_days": 0,
    "nspawn_runner_hold_days": 0,
    "nspawn_runner_timeout": 1,
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

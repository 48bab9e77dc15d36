# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: upstream's verbs for creation and maintenance, which are playbooks now. Names can change at any time.

from __future__ import annotations

import os
import sys
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import find_program
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import name_problem

CONFIGURATION = "/etc/nspawn-runner"
_INVENTORIES = ("nspawn_runner.yml", "nspawn_runner.yaml")


def create(arguments: Any) -> int:
    """chroot-create: the playbook that creates missing images."""
    return _play(arguments.root, "create", None)


def maintenance(arguments: Any) -> int:
    """chroot-maintenance: the playbook that maintains all images, or this one."""
    return _play(arguments.root, "maintenance", arguments.image)


def _play(root: str, playbook: str, image: str | None) -> int:
    if image and name_problem(image):
        raise RunnerError(f"'{image}' is no name of an image: {name_problem(image)}")
    program = find_program("ansible-playbook")
    if not program:
        raise RunnerError("this host has no ansible-playbook", "run apt install ansible-core")
    inventory = next((path for path in (os.path.join(CONFIGURATION, name) for name in _INVENTORIES) if os.path.exists(path)), None)
    if not inventory:
        raise RunnerError(f"there is no inventory {CONFIGURATION}/{_INVENTORIES[0]}", "make it, with the line: plugin: nspawn.runner.chroots")
    argv = [program, "-i", inventory, f"nspawn.runner.{playbook}", *(["--limit", image] if image else [])]
    sys.stderr.write(f"nspawn-runner: runs {' '.join(argv)}\n")
    sys.stderr.flush()
    environment = {**os.environ, "NSPAWN_RUNNER_ROOT": root}
    # Not a child: signals and the terminal are those of ansible-playbook.
    os.execve(program, argv, environment)

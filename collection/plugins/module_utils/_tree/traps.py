# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: refusal of trees that make systemd-nspawn use files of the host. Names can change at any time.

from __future__ import annotations

import os
import stat
from contextlib import suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError


def refuse_traps(tree: str) -> None:
    """Raises RunnerError for a tree whose links systemd-nspawn would follow on the host: it opens these paths before it enters the tree."""
    for path in (os.path.join(tree, name) for name in ("dev", "etc", "proc", "run", "sys")):
        if os.path.islink(path):
            raise RunnerError(f"{path} is a symbolic link, which systemd-nspawn could follow on the host", "put a directory in its place")
    machine_id = os.path.join(tree, "etc/machine-id")
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(os.lstat(machine_id).st_mode):
            raise RunnerError(f"{machine_id} is not a regular file, and systemd-nspawn would open it or its target on the host", "remove it")

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the files of the user that a maintenance runs as root. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from glob import escape, glob
from itertools import islice

from ansible import constants as C

# Directories are read with all that is below.
_BESIDE = (
    *("ansible.cfg", "group_vars", "host_vars", "*_plugins", "library", "module_utils", "collections", "roles"),
    *("tasks", "handlers", "vars", "defaults", "files", "templates"),
)
# Paths that are looked at. Collections and roles have some thousands.
_MOST = 20_000


def sources(playbooks: Iterable[str], inventories: Iterable[str]) -> list[str]:
    """Paths of these playbooks and inventories, of their directories, of files there that Ansible reads without being told, and of ansible.cfg."""
    files = [path for path in (*playbooks, *inventories, C.CONFIG_FILE) if path and os.path.exists(path)]
    directories = sorted({path if os.path.isdir(path) else os.path.dirname(os.path.abspath(path)) for path in files})
    beside = [path for directory in directories for pattern in _BESIDE for path in glob(os.path.join(escape(directory), pattern))]
    return [*files, *directories, *beside, *islice((found for path in beside for found in _below(path)), _MOST)]


def _below(path: str) -> Iterator[str]:
    for directory, directories, files in os.walk(path):
        yield from (os.path.join(directory, name) for name in (*directories, *files))

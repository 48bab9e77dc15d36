# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: names of temporary entries in an image's state directory, and their removal. Names can change at any time.

from __future__ import annotations

import os
import secrets

from ansible_collections.nspawn.runner.plugins.module_utils._image.place import JOURNAL
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree

# Entries with this prefix are removed by the next run when this one is killed.
TRASH_PREFIX = "trash-"
_CONFIG = "config"


def trash_path(state: str) -> str:
    """A new name in the state directory for a tree that is about to be removed."""
    return os.path.join(state, f"{TRASH_PREFIX}{secrets.token_hex(4)}")


def config_path(state: str) -> str:
    """The configuration file that a creation writes for its bootstrap tool."""
    return os.path.join(state, _CONFIG)


def has_leftovers(state: str) -> bool:
    return bool(_leftovers(state))


def remove_leftovers(state: str) -> None:
    """Removes what a run left in the state directory, unless it was in the middle of a swap, which is to be completed first."""
    for name in _leftovers(state):
        remove_tree(os.path.join(state, name))


def _leftovers(state: str) -> list[str]:
    try:
        names = os.listdir(state)
    except (FileNotFoundError, NotADirectoryError):
        return []
    if JOURNAL in names:
        return []
    return [name for name in names if name in (layout.STAGED_DIRECTORY, _CONFIG) or name.startswith(TRASH_PREFIX)]

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the jobs of the program nspawn-runner that use the generations of an image. Names can change at any time.

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import JOBS_DIRECTORY

_STATE = "state.json"
# Bytes of a job's state, and characters of a text in it.
_LIMIT, _LENGTH = 1 << 20, 100
# The supervisor is gone, and the tree is free.
_ENDED = "ended"


def jobs(root: str) -> list[dict[str, str]]:
    """The jobs on images of this root directory, by image, generation and name. Jobs that start or end meanwhile may be missing.

    Only root can see jobs. The program writes the file, and a job cannot change it; the text is made visible all the same.
    """
    try:
        names = os.listdir(JOBS_DIRECTORY)
    except OSError:
        return []
    found = [content for content in map(_state, names) if content and content.get("root") == root and content.get("status") != _ENDED]
    rows = [{key: visible(str(content.get(key, "")))[:_LENGTH] for key in ("image", "generation", "name", "label")} for content in found]
    return sorted(rows, key=lambda row: tuple(row.values()))


def _state(name: str) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, RecursionError), open(os.path.join(JOBS_DIRECTORY, name, _STATE), encoding="utf-8") as file:
        content = json.loads(file.read(_LIMIT))
        return content if isinstance(content, dict) else None
    return None

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Every Python process of a measured command begins with this, those with -I too: Python's site module reads the .pth file beside it.

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

if os.environ.get("COVERAGE_PROCESS_START"):
    import coverage

    measurement = coverage.process_startup()

    def saving(end: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, which saves what was measured first."""

        @functools.wraps(end)
        def save_and_end(*arguments: Any) -> Any:
            # The process ends as it would without being measured, where nothing can be written too.
            with suppress(Exception):
                measurement.save()
            return end(*arguments)

        return save_and_end

    # Ansible's workers are forks that end by _exit; after an exec nothing of the process is left to save it.
    for name in ("_exit", "execv", "execve"):
        setattr(os, name, saving(getattr(os, name)))

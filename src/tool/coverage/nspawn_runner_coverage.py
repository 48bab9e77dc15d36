# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Every Python process of a measured command begins with this, those with -I too: Python's site module reads the .pth file beside it.

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_waiting = True


def _start_at_the_collection(event: str, arguments: tuple[Any, ...]) -> None:
    """Before the first code of the collection runs: until then to measure would only take time, most of it in Ansible's own start."""
    global _waiting
    if _waiting and event == "exec" and "/ansible_collections/" in getattr(arguments[0], "co_filename", ""):
        _waiting = False
        _start()


def _start() -> None:
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


if os.environ.get("COVERAGE_PROCESS_START"):
    sys.addaudithook(_start_at_the_collection)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what the collection's actions show beside their results. Names can change at any time.

# Ansible shows what a worker says in a thread of its main process. A line that nobody reads any more, as after `| head`, ends that thread,
# and Ansible then waits for ever for the workers' results. Its main process imports this with the action, before it starts workers.

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from ansible.utils.display import Display

display = Display()


def _outlive_readers() -> None:
    show = display.display

    def shown(*args: Any, **kwargs: Any) -> None:
        with suppress(BrokenPipeError):
            show(*args, **kwargs)
        # Each line as it comes, through a pipe too; and a new worker is not started when Ansible cannot flush for it.
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)

    display.display = shown


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except BrokenPipeError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


_outlive_readers()

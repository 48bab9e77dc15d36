# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what the collection's actions show beside their results. Names can change at any time.

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from ansible.utils.display import Display

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import plain_text
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import LOG_FILE

display = Display()

# Takes a line, shows it and returns it as it was shown.
Log = Callable[[Any], str]


# Ansible shows what a worker says in a thread of its main process. A line that nobody reads any more, as after `| head`, ends that thread,
# and Ansible then waits for ever for the workers' results. Its main process imports this with the action, before it starts workers.
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


@contextmanager
def log_of(image: str, state: str) -> Iterator[Log]:
    """Shows each line under the image's name as it comes, and keeps all of them whole in the image's log."""
    path = os.path.join(state, LOG_FILE)
    with suppress(FileNotFoundError):
        os.replace(path, f"{path}.1")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:

        def log(line: Any) -> str:
            data = line if isinstance(line, bytes) else f"{line}\n".encode(errors="replace")
            # A full disk ends the log, not the run that may make room.
            with suppress(OSError):
                file.write(data)
            text = plain_text(data.rstrip(b"\n"))
            display.display(f"{image} | {text}".rstrip())
            return text

        yield log

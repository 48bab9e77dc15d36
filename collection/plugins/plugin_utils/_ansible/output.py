# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: lines that the collection's actions show beside their results. Names can change at any time.

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, Union

from ansible.utils.display import Display

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import plain_text
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import LOG_FILE

display = Display()

# Shows a line and keeps the line in the image's log.
Log = Callable[[Union[str, bytes]], None]


# A thread of Ansible's main process displays the lines of the workers. After the end of the reader, as in `| head`, the write error ends
# that thread, and Ansible waits for the workers' results for ever. The main process imports this file before the first worker starts.
def _outlive_readers() -> None:
    show = display.display

    def shown(*args: Any, **kwargs: Any) -> None:
        with suppress(BrokenPipeError):
            show(*args, **kwargs)
        # Through a pipe too, each line appears at once. Ansible flushes before it starts a worker, and a failed flush would stop that start.
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
    """Shows each line at once under the image's name, and keeps all lines unshortened in the image's log."""
    path = os.path.join(state, LOG_FILE)
    with suppress(FileNotFoundError):
        os.replace(path, f"{path}.1")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:

        def log(line: str | bytes) -> None:
            data = line if isinstance(line, bytes) else f"{line}\n".encode(errors="replace")
            # A full disk ends the log, not the run: the playbook may free some space.
            with suppress(OSError):
                file.write(data)
            text = plain_text(data.rstrip(b"\n"))
            display.display(f"{image} | {text}".rstrip())

        yield log

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: lines that the collection's actions show beside their results. Names can change at any time.

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TextIO, cast

from ansible.plugins.loader import callback_loader
from ansible.utils.display import Display

from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible, visible_line
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import LOG_FILE

display = Display()

# Keeps a message of the collection, or a line of a program, in the image's log, and shows it unless `show=False` is given.
Log = Callable[..., None]

# Bytes of a log.
LOG_LIMIT = 64 << 20
# Lines of a log that are shown.
SHOWN_LINES = 10_000


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
    """Shows each line with text at once under the image's name, and keeps the lines unshortened in the image's log.

    A log that grows beyond LOG_LIMIT loses lines in its middle. Of a log with more than SHOWN_LINES lines, the first ones are shown.
    """
    path = os.path.join(state, LOG_FILE)
    with suppress(FileNotFoundError):
        os.replace(path, f"{path}.1")
    left = 0 if wants_quiet() else SHOWN_LINES
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "r+b", buffering=0) as file:

        def log(text: str | bytes, show: bool = True) -> None:
            nonlocal left
            for line in [text] if isinstance(text, bytes) else text.encode(errors="replace").split(b"\n"):
                # A full disk ends the log, not the run: the playbook may free some space.
                with suppress(OSError):
                    file.write(f"{visible(line.decode(errors='replace'))}\n".encode())
                    if file.tell() > LOG_LIMIT:
                        _leave_out_middle(cast(IO[bytes], file))
                shown = visible_line(line).rstrip()
                if show and shown and left > 0:
                    left -= 1
                    with whole_message():
                        display.display(f"{image} | {shown if left else f'more lines are in {path} alone'}")

        yield log


def wants_quiet() -> bool:
    """Whether the user wants no lines about hosts that are in order: `display_ok_hosts = no`, ANSIBLE_DISPLAY_OK_HOSTS."""
    plugin = callback_loader.get("default")
    plugin.set_options()
    return not plugin.get_option("display_ok_hosts")


def append_to_log(state: str, text: str) -> bool:
    """Adds lines to the log of the image's last run, unless the log ends with these lines. False if the log cannot be written."""
    data = "".join(f"{visible(line)}\n" for line in text.split("\n")).encode()
    try:
        descriptor = os.open(os.path.join(state, LOG_FILE), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if os.pread(descriptor, len(data), max(0, end - len(data))) != data:
                return file.write(data) == len(data)
    except OSError:
        return False
    return True


@contextmanager
def whole_message() -> Iterator[None]:
    """Delays the alarm of a deadline. The reader of a process's messages can read none any more after one that was cut short."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_out_middle(file: IO[bytes]) -> None:
    """Shortens a file that has LOG_LIMIT bytes to its beginning and its end, with a line between the two that says so."""
    file.seek(-LOG_LIMIT // 4, os.SEEK_END)
    file.readline()
    end = file.read()
    file.seek(LOG_LIMIT // 2)
    file.readline()
    file.write(f"[... lines are left out here: this log has at most {LOG_LIMIT >> 20} MiB ...]\n".encode())
    file.write(end)
    file.truncate()

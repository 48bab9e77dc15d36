# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the time limit of a maintenance, also while the maintenance waits. Names can change at any time.

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class TimedOut(BaseException):
    """The end of a deadline. No `except Exception` and no suppress() on the way catches it."""


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Raises TimedOut in the body after this time, once. Only for the main thread of a process."""

    def end(_signal: int, _frame: Any) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, min(seconds, 1 << 31))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

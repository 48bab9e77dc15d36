# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.deadline import TimedOut, deadline


def test_a_wait_ends_and_nothing_on_the_way_catches_the_end() -> None:
    with pytest.raises(TimedOut), deadline(1), suppress(Exception):
        try:
            subprocess.run(["sleep", "60"], check=True)
        except (RunnerError, OSError):
            pytest.fail("a handler of errors got the end of the time")


def test_in_time_nothing_happens_and_the_clock_stops() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with deadline(1 << 62):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_the_clock_stops_after_an_error() -> None:
    with pytest.raises(RunnerError), deadline(1):
        raise RunnerError("no")
    time.sleep(0)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="the child of a worker of Ansible's")

from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import child
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.deadline import TimedOut, deadline


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The lines that the queue of Ansible's worker gets."""
    shown: list[Any] = []
    queue = SimpleNamespace(send_display=lambda *arguments, **options: shown.append(arguments))
    monkeypatch.setattr(child.display, "_final_q", queue)
    return shown


def _killed(status: int) -> dict[str, Any]:
    return {"status": status}


def _never(status: int) -> dict[str, Any]:
    pytest.fail(f"the child ended with {status}")


def _display(text: str) -> None:
    child.display._final_q.send_display(text)


def test_the_result_and_the_lines_come_from_another_process(shown: list[Any]) -> None:
    def work() -> dict[str, Any]:
        for number in range(1000):
            _display(f"line {number}")
        return {"pid": os.getpid(), "parent": os.getppid(), "msg": "d\u00f6ne"}

    result = child.in_child(work, _never)
    assert result["parent"] == os.getpid() != result["pid"]
    assert result["msg"] == "d\u00f6ne"
    assert shown == [(f"line {number}",) for number in range(1000)]


class _Unsendable(Exception):
    """pickle gives this text alone to the constructor."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)


@pytest.mark.parametrize("problem", [KeyError("x"), _Unsendable(1, "'x'")])
def test_an_exception_is_raised_in_the_worker(shown: list[Any], problem: Exception) -> None:
    def work() -> dict[str, Any]:
        raise problem

    with pytest.raises((KeyError, RuntimeError), match="'x'") as error:
        child.in_child(work, _never)
    # Where it was raised.
    assert "raise problem" in f"{error.value}{error.value.__cause__}"


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param(lambda: os.kill(os.getpid(), signal.SIGKILL), -9, id="killed"),
        pytest.param(lambda: os.kill(os.getpid(), signal.SIGTERM), -15, id="ended"),
        pytest.param(lambda: os.kill(os.getpid(), signal.SIGINT), -2, id="interrupted"),
        pytest.param(lambda: os._exit(3), 3, id="an exit"),
    ],
)
def test_a_child_without_a_result_is_told_by_its_status(shown: list[Any], end: Callable[[], Any], status: int) -> None:
    def work() -> dict[str, Any]:
        _display("line")
        end()
        return {}

    before = signal.signal(signal.SIGTERM, lambda number, frame: pytest.fail("the worker's handler"))
    try:
        assert child.in_child(work, _killed) == {"status": status}
    finally:
        signal.signal(signal.SIGTERM, before)
    assert shown == [("line",)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_all_that_a_killed_child_started_ends_before_its_result(shown: list[Any]) -> None:
    pids: list[int] = []

    def work() -> dict[str, Any]:
        # In another session, and with a parent that ends at once: nothing but its parent process leads to this one.
        started = subprocess.run(["setsid", "sh", "-c", "sleep 600 >/dev/null & echo $!"], stdout=subprocess.PIPE, check=True)
        _display(started.stdout.decode())
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    def killed(status: int) -> dict[str, Any]:
        pids.append(int(shown[0][0]))
        return {"alive": _alive(pids[0])}

    assert child.in_child(work, killed) == {"alive": False}


def test_a_worker_that_is_interrupted_ends_its_child(shown: list[Any]) -> None:
    def work() -> dict[str, Any]:
        _display(str(os.getpid()))
        time.sleep(600)
        return {}

    with pytest.raises(TimedOut), deadline(1):
        child.in_child(work, _never)
    assert not _alive(int(shown[0][0]))


@pytest.fixture
def ends() -> Iterator[tuple[Any, Any]]:
    receiver, sender = Pipe(duplex=False)
    yield receiver, sender
    receiver.close()


@pytest.mark.parametrize("part", [b"", b"\0\0", b"\0\0\0\x40", b"\0\0\0\x40half"])
def test_a_message_that_was_cut_short_is_no_message(shown: list[Any], ends: tuple[Any, Any], part: bytes) -> None:
    receiver, sender = ends
    sender.send((child._SHOWN, (("line",), {})))
    os.write(sender.fileno(), part)
    sender.close()
    assert child._last_message(receiver) == (child._RETURNED, None)
    assert shown == [("line",)]


def _score(pid: int | str = "self") -> int:
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as file:
        return int(file.read())


def test_the_kernel_prefers_the_child_when_memory_is_short(shown: list[Any]) -> None:
    assert child.in_child(lambda: {"score": _score()}, _never) == {"score": min(1000, _score() + 100)}

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the work on one image in a child of Ansible's worker, so that a killed process fails this image alone. Names can change at any time.

# Ansible ends the whole run, without a summary, when a worker was killed: "A worker was found in a dead state".

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from types import SimpleNamespace
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import adopt_orphans, die_with_parent, end_children, offer_to_oom_killer
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.output import display, whole_message

# Kinds of messages of the child. Only the child and the worker use the pipe: a child that is killed cannot leave a part of a message, or a lock,
# in the queue that Ansible's workers share.
_SHOWN, _RETURNED, _RAISED = range(3)

Result = dict[str, Any]


def in_child(work: Callable[[], Result], killed: Callable[[int], Result]) -> Result:
    """The result of `work`, which runs in a child of this process; raises the exceptions of `work`.

    `killed`: gives the result for a child that ended without one, from its exit status, negative for a signal. All that the child started has
    ended then. Lines that the child shows appear at once. Only for the main thread of a worker of Ansible's: the child dies with this thread.
    """
    adopt_orphans()
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(work, sender, os.getpid()))
    child.start()
    sender.close()
    kind, value = _RETURNED, None
    try:
        kind, value = _last_message(receiver)
    finally:
        if value is None:
            # Also when this worker is interrupted: by its time limit, or at the terminal.
            child.kill()
        child.join()
        if value is None:
            end_children()
    if kind == _RAISED:
        raise value
    return killed(child.exitcode or 0) if value is None else value


def _last_message(receiver: Connection) -> tuple[int, Any]:
    """The result or the exception of the child; (_RETURNED, None) when the child ended without one."""
    while True:
        try:
            kind, value = receiver.recv()
        except (EOFError, OSError):
            return _RETURNED, None
        if kind != _SHOWN:
            return kind, value
        arguments, options = value
        display._final_q.send_display(*arguments, **options)


def _work(work: Callable[[], Result], sender: Connection, parent: int) -> None:
    """The child's whole life. Never returns: the code above belongs to Ansible's worker."""
    try:
        die_with_parent(parent)
        offer_to_oom_killer()
        # Handlers of Ansible's worker; this process has nothing to tell or to clean up, since the worker and the next run do so.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

        def send(kind: int, value: Any) -> None:
            with whole_message():
                sender.send((kind, value))

        display.set_queue(SimpleNamespace(send_display=lambda *arguments, **options: send(_SHOWN, (arguments, options))))
        try:
            send(_RETURNED, work())
        except Exception as problem:
            send(_RAISED, _portable(problem))
        os._exit(0)
    finally:
        os._exit(1)


def _portable(problem: Exception) -> Any:
    """The exception, with its traceback as the cause; one of another type where pickle cannot make the same again."""
    portable = ExceptionWithTraceback(problem, problem.__traceback__)
    try:
        pickle.loads(pickle.dumps(portable))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(type(problem), problem, problem.__traceback__)))
    return portable

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: inner_result
type: notification
short_description: Writes down what the run of an image's playbook did
version_added: 0.1.0
author: The nspawn.runner authors (@nspawn-runner)
description:
  - The action C(nspawn.runner.maintain) enables this plugin in the runs that it starts, and reads what it wrote.
    It is of no use elsewhere, and need not be enabled by hand.
  - Without the environment variable C(NSPAWN_RUNNER_RESULT) it does nothing.
"""

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "nspawn.runner.inner_result"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Taken out: an ansible-playbook that a task starts must not write over this run's result.
        self.path = os.environ.pop("NSPAWN_RUNNER_RESULT", None)
        self.disabled = self.path is None
        self.started = []
        self.unmatched = []
        self.failure = None

    def v2_playbook_on_play_start(self, play):
        self.started.append(_hosts(play))

    def v2_playbook_on_no_hosts_matched(self):
        # Ansible announces the play first.
        if self.started:
            self.unmatched.append(self.started.pop())

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._remember(result)

    def v2_runner_on_unreachable(self, result):
        self._remember(result)

    def _remember(self, result):
        values = getattr(result, "result", None) or result._result  # 2.19 and later, before
        message = str(values.get("msg") or values.get("reason") or "no message")
        # Where no module answered, the message only says so.
        for stream in ("module_stderr", "module_stdout"):
            if str(values.get(stream) or "").strip():
                message = str(values[stream]).strip().splitlines()[-1]
                break
        self.failure = {"task": result.task_name, "msg": " ".join(message.split())[:1000]}

    def v2_playbook_on_stats(self, stats):
        if self.path is None:
            return
        content = {
            "plays": len(self.started),
            "unmatched": self.unmatched,
            "failure": self.failure,
            "stats": {host: stats.summarize(host) for host in stats.processed},
        }
        # Written whole or not at all: its absence tells that the run did not come to its end.
        with open(f"{self.path}.new", "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(f"{self.path}.new", self.path)


def _hosts(play):
    return ",".join(map(str, play.hosts)) if isinstance(play.hosts, (list, tuple)) else str(play.hosts)

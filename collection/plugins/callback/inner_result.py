# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: inner_result
type: notification
short_description: Keeps the run of an image's playbook on the staged tree, and records its outcome
version_added: 0.1.0
author: The nspawn.runner authors (@nspawn-runner)
description:
  - The action C(nspawn.runner.maintain) enables this plugin in the runs that it starts, and reads the plugin's result.
    The plugin has no other use, and need not be enabled by hand.
  - The plugin sets the variables that lead to the staged tree so that no fact and no group_vars can override them, and adds a last task to each
    play, as a proof that the play ran to its end.
  - Without the environment variable C(NSPAWN_RUNNER_INNER), in which that action describes the run, the plugin does nothing.
"""

EXAMPLES = r"""
# The action enables the plugin for the image's own playbook.
- name: Maintain the images
  hosts: nspawn_runner_declared
  gather_facts: false
  tasks:
    - name: Maintain the image
      nspawn.runner.maintain:
"""

import json
import os
from contextlib import suppress
from typing import Any

from ansible.playbook.block import Block
from ansible.plugins.callback import CallbackBase

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._session.client import canonical, end
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import missing_names, nearest_host
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.polling import poll_less
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.failure import failure, rescued, sentence
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import INNER
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.pinned import pin

# The name of the last task of each play, for people: a task of the playbook, or a fact in its name, can have the same one.
_LAST_TASK = "This play came to its end"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "nspawn.runner.inner_result"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.disabled = INNER is None
        self.started: list[str] = []
        # Plays that do not match the image.
        self.unmatched: list[dict[str, Any]] = []
        self.play: Any = None
        # Ids of the last tasks.
        self.last: set[str] = set()
        self.ended = 0
        self.failure: dict[str, Any] | None = None

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if INNER is None:
            return
        if not self.started:
            poll_less()
            pin(INNER, play.get_variable_manager())
        self.started.append(_hosts(play))
        self.play = play
        block = _last_block(play)
        self.last.update(task._uuid for task in block.block)
        play.post_tasks = [*play.post_tasks, block]

    def v2_playbook_on_no_hosts_matched(self) -> None:
        # Ansible calls v2_playbook_on_play_start for such a play first.
        if self.started:
            self.unmatched.append({"hosts": self.started.pop(), "path": sentence(self.play.get_path()), **_missing(self.play)})

    def v2_runner_on_ok(self, result: Any) -> None:
        # Copies of a task, which the strategy runs, have the task's id.
        if result._task._uuid in self.last:
            self.ended += 1

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors and not rescued(result._task):
            self._remember(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not getattr(result._task, "ignore_unreachable", False):
            self._remember(result)

    def _remember(self, result: Any) -> None:
        # After the first failure, only a part `always` of a block runs.
        self.failure = self.failure or failure(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if INNER is None:
            return
        # The end of the session removes the session's files from the tree, before the maintenance compares the tree.
        with suppress(RunnerError):
            end(canonical(INNER.tree))
        content = {
            "plays": self.started,
            "ended": self.ended,
            "unmatched": self.unmatched,
            "failure": self.failure,
            # Of no other host: by add_host, a tree's text can make any number of hosts.
            "stats": {host: stats.summarize(host) for host in stats.processed if host == INNER.image},
        }
        # Renamed into place, so the file is whole or missing. A missing file means that the run did not come to its end.
        with open(f"{INNER.result}.new", "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(f"{INNER.result}.new", INNER.result)


def _last_block(play: Any) -> Any:
    """A last task, as a proof: actions such as `meta: end_host` skip the rest of a play, and still give exit status 0."""
    task = {"name": _LAST_TASK, "ansible.builtin.assert": {"that": [True], "quiet": True}, "tags": ["always"]}
    return Block.load({"block": [task]}, play=play, variable_manager=play.get_variable_manager(), loader=play.get_loader())


def _hosts(play: Any) -> str:
    # A template in `hosts` can render a fact.
    return sentence(",".join(map(str, play.hosts)) if isinstance(play.hosts, (list, tuple)) else str(play.hosts))


def _missing(play: Any) -> dict[str, Any]:
    """Names in `hosts` of the play that no host and no group has, and the nearest name to the first."""
    inventory = play.get_variable_manager()._inventory
    names = missing_names(inventory, play.hosts)
    return {"missing": [sentence(name) for name in names], "nearest": nearest_host(inventory, names[0]) if names else ""}

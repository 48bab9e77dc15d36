# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the section of GitLab Runner's config.toml. Names can change at any time.

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import find_program
from ansible_collections.nspawn.runner.plugins.module_utils._job.gitlab import BUILDS, CACHE
from ansible_collections.nspawn.runner.plugins.module_utils._job.settings import memory_of_host
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import ROOT
from ansible_collections.nspawn.runner.plugins.module_utils._spec.program import PROGRAM

# Bytes of memory for one of several jobs.
_MEMORY = 2 << 30


def toml(arguments: Any) -> int:
    """toml: the section, with the paths of this host."""
    program = find_program(PROGRAM["name"]) or os.path.realpath(sys.argv[0])
    sys.stdout.write(section(program, arguments.root, os.uname().nodename, concurrent(os.cpu_count() or 1, memory_of_host())))
    return 0


def concurrent(cpus: int, memory: int) -> int:
    """How many jobs a host can run at once: two for three processors, and no more than its memory has room for."""
    return max(1, min(cpus * 2 // 3, memory // _MEMORY))


def section(program: str, root: str, host: str, jobs: int) -> str:
    """The section's text."""
    calls = []
    for call, words in (
        ("config", ["gitlab-config"]),
        ("prepare", ["prepare"]),
        ("run", ["run"]),
        ("cleanup", ["cleanup"]),
    ):
        own = [] if root == ROOT else ["--root", root]
        calls.append(f"    {call}_exec = {_text(program)}\n    {call}_args = [{', '.join(map(_text, [*own, *words]))}]\n")
        if call != "run":
            calls.append(f"    {call}_exec_timeout = 200\n")
    return f"""# At the top of config.toml, for this host: concurrent = {jobs}

[[runners]]
  name = {_text(host)}
  # The address of the GitLab server, and the token of the runner there.
  url = "TODO"
  token = "TODO"
  executor = "custom"
  builds_dir = {_text(BUILDS)}
  cache_dir = {_text(CACHE)}
  [runners.custom]
{"".join(calls)}    # Seconds after SIGTERM, in which a stage ends its processes.
    graceful_kill_timeout = 200
    force_kill_timeout = 200
"""


def _text(word: str) -> str:
    # A string of TOML has the escapes of JSON.
    return json.dumps(word, ensure_ascii=False)

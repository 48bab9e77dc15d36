# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the file with an image's settings for jobs, which the program nspawn-runner reads. Names and the format of the file can change at any time.

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import DEFAULTS, JOB_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import JOB_FILE

_VERSION = 1
_SECCOMP = "nspawn_runner_seccomp"


def job_settings(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The settings for jobs that differ from the defaults: variables of an image, without the prefix of their names."""
    prefix = len(JOB_PREFIX)
    given = {name[prefix:]: _plain(value) for name, value in variables.items() if name.startswith(JOB_PREFIX) and value is not None}
    return {name: value for name, value in sorted(given.items()) if value != DEFAULTS.get(name)}


def _plain(value: Any) -> Any:
    """The value for JSON: a value of a vault is no string before ansible-core 2.19, and a variable of the environment can have a number as its value."""
    if isinstance(value, Mapping):
        return {str(name): str(element) for name, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [str(element) for element in value]
    return value if isinstance(value, (bool, int, float)) else str(value)


def write_job_file(state: str, variables: Mapping[str, Any]) -> None:
    """Replaces the file in the state directory. A job that starts meanwhile has the old settings or the new ones. Raises RunnerError."""
    content = {"version": _VERSION, "job": job_settings(variables), "seccomp": variables.get(_SECCOMP) is not False}
    files.write_json(os.path.join(state, JOB_FILE), content)

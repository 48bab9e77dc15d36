# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._image import job_file
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import DEFAULTS, JobSettings
from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import MINIMUM, PATTERNS, VARIABLES

# The variables of an image that sets none.
UNSET = {name: spec.get("default") for name, spec in VARIABLES.items()}


class Secret:
    """A value as a vault gives it before ansible-core 2.19."""

    def __str__(self) -> str:
        return "secret"


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        pytest.param({}, {}, id="defaults"),
        pytest.param({"job_disk": "20G", "job_cpus": 0.5, "job_boot": True}, {"disk": "20G", "cpus": 0.5, "boot": True}, id="settings"),
        pytest.param({"job_memory": "40%", "job_pids": 16384, "job_disk": None}, {}, id="values that are the defaults"),
        pytest.param({"binds": ["/srv"], "network": "none", "keep_failed": True}, {}, id="variables of maintenance"),
        pytest.param(
            {"job_environment": {"A": 5, "B": Secret()}, "job_binds": [Secret()]}, {"environment": {"A": "5", "B": "secret"}, "binds": ["secret"]}, id="texts"
        ),
        pytest.param({"job_user": Secret()}, {"user": "secret"}, id="a text"),
    ],
)
def test_settings_that_differ_from_the_defaults(variables: dict[str, Any], job: dict[str, Any]) -> None:
    given = {**UNSET, **{f"nspawn_runner_{name}": value for name, value in variables.items()}}
    assert job_file.job_settings(given) == job


def test_the_file_is_replaced_as_a_whole_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text("{old")
    path.chmod(0o666)
    job_file.write_job_file(str(tmp_path), {**UNSET, "nspawn_runner_job_disk": "1G", "nspawn_runner_seccomp": False})
    assert json.loads(path.read_text()) == {"version": 1, "job": {"disk": "1G"}, "seccomp": False}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    job_file.write_job_file(str(tmp_path), UNSET)
    assert json.loads(path.read_text()) == {"version": 1, "job": {}, "seccomp": True}
    assert [file.name for file in tmp_path.iterdir()] == ["job.json"]


def test_each_default_is_a_value_that_a_user_could_set() -> None:
    assert JobSettings.__annotations__.keys() >= DEFAULTS.keys()
    for name, value in DEFAULTS.items():
        variable = f"nspawn_runner_job_{name}"
        assert variable in VARIABLES
        if variable in PATTERNS:
            assert re.fullmatch(PATTERNS[variable][0], str(value))
        assert not isinstance(value, int) or value >= MINIMUM.get(variable, value)

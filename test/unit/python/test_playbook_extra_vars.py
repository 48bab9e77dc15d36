# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("ansible", reason="extra vars are Ansible's")

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.extra_vars import check_extra_vars

ROLLBACK = "nspawn.runner.rollback"


@pytest.mark.parametrize(
    ("extra", "playbook"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"other": 1, "nspawner": 2}, "", id="variables of others"),
        pytest.param({"nspawn_runner_mirror": "x"}, "", id="a variable of images"),
        pytest.param({"nspawn_runner_mirror": ""}, "", id="an empty variable of images"),
        pytest.param({"nspawn_runner_generation": "20261123T231500Z"}, ROLLBACK, id="the playbook's own variable"),
        pytest.param({"nspawn_runner_mirror": "x"}, ROLLBACK, id="a variable of images for another playbook: a file for -e can serve all"),
    ],
)
def test_extra_vars_that_are_accepted(extra: dict[str, Any], playbook: str) -> None:
    check_extra_vars(extra, playbook)


@pytest.mark.parametrize(
    ("extra", "playbook", "message"),
    [
        pytest.param(
            {"nspawn_runner_genration": "x"},
            ROLLBACK,
            "-e nspawn_runner_genration: unknown variable; the nearest known one is nspawn_runner_generation: correct the name",
            id="misspelt",
        ),
        pytest.param({"nspawn_runner_generation": ""}, ROLLBACK, "-e nspawn_runner_generation is empty: give a value", id="empty"),
        pytest.param({"nspawn_runner_generation": " "}, ROLLBACK, "-e nspawn_runner_generation is empty", id="blank"),
        pytest.param({"nspawn_runner_generation": None}, ROLLBACK, "-e nspawn_runner_generation is empty", id="no value"),
        pytest.param({"nspawn_runner_generation": "x"}, "nspawn.runner.release", "-e nspawn_runner_generation: unknown variable", id="of another playbook"),
        pytest.param({"nspawn_runner_mirorr": "x"}, "", "-e nspawn_runner_mirorr: unknown variable; the nearest known one is nspawn_runner_mirror", id="image"),
        pytest.param({"nspawn_runner_path": "/"}, "", "-e nspawn_runner_path: this variable is set by the collection", id="of the collection"),
        pytest.param({"nspawn_runner_result": "/"}, "", "-e nspawn_runner_result: unknown variable", id="a registered result"),
    ],
)
def test_extra_vars_that_are_refused(extra: dict[str, Any], playbook: str, message: str) -> None:
    with pytest.raises(RunnerError) as error:
        check_extra_vars(extra, playbook)
    assert str(error.value).startswith(message)

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._job import gitlab, images, state
from ansible_collections.nspawn.runner.plugins.module_utils._job.settings import ImageSettings
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import DEFAULTS


def _response(directory: Path, content: Any) -> dict[str, str]:
    path = directory / "response.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    os.chmod(path, 0o600)
    forged = {"CUSTOM_ENV_CI_JOB_ID": "../../x", "CUSTOM_ENV_CI_JOB_IMAGE": "forged", "CUSTOM_ENV_CI_JOB_TIMEOUT": "1"}
    return {"JOB_RESPONSE_FILE": str(path), "BUILD_FAILURE_EXIT_CODE": "1", **forged}


def test_the_identity_is_of_the_file_and_not_of_variables(tmp_path: Path) -> None:
    content = {"id": 7, "token": "t", "job_info": {"project_id": 5}, "image": {"name": "trixie"}, "runner_info": {"timeout": 3600}, "cache": [{}]}
    identity = gitlab.identify(None, _response(tmp_path, content))
    assert (identity.label, identity.image, identity.timeout, identity.project, identity.transfers) == ("7", "trixie", 3600, 5, True)
    assert identity.key.startswith("gitlab 7 ")
    assert gitlab.identify(None, _response(tmp_path, {**content, "token": "u"})).key != identity.key


@pytest.mark.parametrize(
    "content",
    [
        {"id": 7},
        {"id": 7, "image": None, "runner_info": [], "job_info": "x"},
        {"id": 7, "image": {"name": 3}, "runner_info": {"timeout": "9"}, "job_info": {"project_id": -1}},
        {"id": 7, "runner_info": {"timeout": True}},
    ],
)
def test_a_file_with_little(tmp_path: Path, content: Any) -> None:
    identity = gitlab.identify(None, _response(tmp_path, content))
    assert (identity.image, identity.timeout, identity.project, identity.transfers) == ("", None, None, False)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"id": "7"}', '{"id": null}', "[" * 100000])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RunnerError, match="is not GitLab's description of a job"):
        gitlab.identify(None, _response(tmp_path, text))


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitlab, "_RESPONSE", 100)
    with pytest.raises(RunnerError, match="is larger than"):
        gitlab.identify(None, _response(tmp_path, {"id": 7, "token": "t" * 100}))


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    environment = _response(tmp_path, {"id": 7})
    os.chmod(environment["JOB_RESPONSE_FILE"], 0o622)
    with pytest.raises(RunnerError, match="only root can write"):
        gitlab.identify(None, environment)


def test_calls_without_the_file() -> None:
    assert gitlab.identify("a", {"JOB_RESPONSE_FILE": "/none"}).key == "id a"
    assert gitlab.identify(None, {"CUSTOM_ENV_CI_JOB_ID": "8", "CUSTOM_ENV_CI_JOB_IMAGE": "sid"})[:3] == ("id 8", "8", "sid")
    with pytest.raises(RunnerError, match=r"14\.1"):
        gitlab.identify(None, {"BUILD_FAILURE_EXIT_CODE": "1", "CUSTOM_ENV_CI_JOB_ID": "8"})
    with pytest.raises(RunnerError, match="--id"):
        gitlab.identify(None, {})
    with pytest.raises(RunnerError, match="cannot be read"):
        gitlab.identify(None, {"JOB_RESPONSE_FILE": "/none"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("$A/b:${B}", "x/b:y"),
        ("$C", "x-y"),
        ("$LOOP", ""),
        ("$NONE", ""),
        ("$A$", "x$"),
    ],
)
def test_variables_in_an_image_name(text: str, expected: str) -> None:
    variables = [{"key": "A", "value": "old"}, {"key": "A", "value": "x"}, {"key": "B", "value": "y"}, {"key": "C", "value": "$A-${B}"}]
    assert gitlab.expand(text, [*variables, {"key": "LOOP", "value": "$LOOP$LOOP"}, {"key": 3}, "x"]) == expected


def test_a_name_that_the_file_cannot_expand_is_the_runners(tmp_path: Path) -> None:
    assert gitlab.identify(None, _response(tmp_path, {"id": 7, "image": {"name": "$OF_RUNNER"}})).image == "forged"


def test_failures_have_the_statuses_of_the_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_FAILURE_EXIT_CODE", "11")
    monkeypatch.setenv("SYSTEM_FAILURE_EXIT_CODE", "12")
    monkeypatch.setenv("BUILD_EXIT_CODE_FILE", str(tmp_path / "code"))
    (tmp_path / "code").write_text("77777\n", encoding="ascii")
    assert gitlab.failure_status(RunnerError("x"), 125) == 12
    assert gitlab.failure_status(images.WrongImage("x"), 125) == 11
    assert gitlab.failure_status(gitlab.JobFailure("x", "", 137), 125) == 11
    assert (tmp_path / "code").read_text(encoding="ascii") == "137\n"


def test_failures_without_gitlab(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUILD_FAILURE_EXIT_CODE", "SYSTEM_FAILURE_EXIT_CODE", "BUILD_EXIT_CODE_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert gitlab.failure_status(RunnerError("x"), 125) == 125
    assert gitlab.failure_status(gitlab.JobFailure("x", "", 42), 125) == 42


def test_the_file_of_the_exit_code_is_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").symlink_to(tmp_path / "victim")
    monkeypatch.setenv("BUILD_EXIT_CODE_FILE", str(tmp_path / "code"))
    gitlab.failure_status(gitlab.JobFailure("x", "", 42), 125)
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize(("place", "found"), [("usr/bin/bash", True), ("usr/local/bin/bash", True), ("opt/bash", False)])
def test_programs_of_a_tree(tmp_path: Path, place: str, found: bool) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    # Where the link leads counts in the container alone.
    path.symlink_to("/none")
    (tmp_path / "bin").symlink_to("/bin")
    assert images.has_program(str(tmp_path), "bash") is found


def test_the_head_of_the_log() -> None:
    image = images.Image(Place("/srv", "sid"), ImageSettings(DEFAULTS, True), "20261120T000000Z", "2026-11-20T00:00:00Z")
    content = {"name": "00ff", "job": {**DEFAULTS, "disk": "20G"}, "seconds": 0.31, "limited": ["memory", "cpu"]}
    lines = gitlab.head(image, content, ["a warning"], 5.5)
    assert lines[0].startswith("Image sid, generation 20261120T000000Z, ")
    assert lines[0].endswith("ready after 0.3 s.")
    assert lines[1].startswith("\x1b[0Ksection_start:5:nspawn_runner_container[collapsed=true]\r\x1b[0K")
    assert "limits: memory 40%, 16384 processes, disk 20G" in lines
    assert lines[-2:] == ["\x1b[0Ksection_end:5:nspawn_runner_container\r\x1b[0K", "WARNING: a warning"]


def test_names_of_jobs() -> None:
    assert state.is_name(state.new_name())
    for name in ("", "../x", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdef\n"):
        assert not state.is_name(name)

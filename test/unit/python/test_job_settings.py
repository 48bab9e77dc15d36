# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._job import settings
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import DEFAULTS
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import JOB_FILE


def _write(directory: Path, text: str) -> None:
    (directory / JOB_FILE).write_text(text, encoding="utf-8")
    os.chmod(directory / JOB_FILE, 0o600)


def test_an_image_without_the_file_has_the_defaults(tmp_path: Path) -> None:
    assert settings.read_settings(str(tmp_path)) == (DEFAULTS, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes such a file")
def test_what_is_set_replaces_the_defaults(tmp_path: Path) -> None:
    _write(tmp_path, json.dumps({"version": 1, "seccomp": False, "job": {"memory": "2G", "pids": 9}}))
    assert settings.read_settings(str(tmp_path)) == ({**DEFAULTS, "memory": "2G", "pids": 9}, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes such a file")
@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 1}', '{"version": 2, "job": {}}', '{"version": 1, "job": 3}'])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    _write(tmp_path, text)
    with pytest.raises(RunnerError, match="run the maintenance of this image"):
        settings.read_settings(str(tmp_path))


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, json.dumps({"version": 1, "job": {}}))
    os.chmod(tmp_path / JOB_FILE, 0o622)
    with pytest.raises(RunnerError, match="not a file that only root can write"):
        settings.read_settings(str(tmp_path))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / JOB_FILE).symlink_to("/dev/zero")
    with pytest.raises(RunnerError, match="cannot be read"):
        settings.read_settings(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("7", 7), ("20G", 20 << 30), ("1.5M", 3 << 19), ("2 GiB", 2 << 30), ("512KB", 512 << 10), ("1t", 1 << 40), ("40%", 400), ("100%", 1000)],
)
def test_sizes(text: str, expected: int) -> None:
    assert settings.size(text, 1000) == expected


@pytest.mark.parametrize("text", ["", "G", "-1", "1X", "1G2", "1000%", "20G\nx"])
def test_texts_that_are_no_sizes(text: str) -> None:
    with pytest.raises(RunnerError, match="is not a size"):
        settings.size(text, 1000)


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (1023, "1023"), (1024, "1K"), (3 << 19, "1.5M"), (20 << 30, "20G"), (1 << 40, "1T")])
def test_sizes_for_people(number: int, text: str) -> None:
    assert settings.size_text(number) == text

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.plugin_utils._status import jobs

JOB = {"name": "0123456789abcdef", "label": "4711", "root": "/srv", "image": "aa", "generation": "20261124T231431Z", "status": "ready"}


def _write(directory: Path, name: str, content: Any) -> None:
    (directory / name).mkdir()
    (directory / name / "state.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_running_jobs_of_a_root_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs, "JOBS_DIRECTORY", str(tmp_path))
    _write(tmp_path, "b", {**JOB, "label": "\x1b[2J" + "x" * 200})
    _write(tmp_path, "a", {**JOB, "name": "a", "generation": "20261123T231431Z"})
    for name, content in {"c": {**JOB, "root": "/other"}, "d": {**JOB, "status": "ended"}, "e": "{", "f": "[]", "g": "[" * 100000}.items():
        _write(tmp_path, name, content)
    # A job in the middle of its birth, and a file that is no job.
    (tmp_path / "h").mkdir()
    (tmp_path / "i").write_text("")
    assert jobs.jobs("/srv") == [
        {"image": "aa", "generation": "20261123T231431Z", "name": "a", "label": "4711"},
        {"image": "aa", "generation": "20261124T231431Z", "name": "0123456789abcdef", "label": ("\\x1b[2J" + "x" * 200)[:100]},
    ]


def test_a_host_without_jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs, "JOBS_DIRECTORY", str(tmp_path / "none"))
    assert jobs.jobs("/srv") == []

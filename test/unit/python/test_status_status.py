# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ansible", reason="an image is a host of Ansible's")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._status import status as module

ID = "20261123T231500Z"
GOOD = {"result": "unchanged", "started": "2026-11-24T00:00:00Z", "since": "2026-11-20T00:00:00Z"}


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(module, "size", lambda tree, seconds: 5 << 20)
    monkeypatch.setattr(module.in_use, "users", lambda trees: [f"container of {os.path.basename(tree)}" for tree in trees])
    monkeypatch.setattr(module, "jobs", lambda root: [{"image": "aa"}, {"image": "bb"}])
    return tmp_path


def _found(root: Path, tree: bool = True, playbook: str = "/etc/aa.yml", error: str | None = None, left: float = 60, **content: Any) -> dict[str, Any]:
    if tree:
        (root / "aa").mkdir()
    if content:
        state = root / ".nspawn-runner/aa"
        state.mkdir(parents=True)
        state.joinpath("state.json").write_text(json.dumps({"format": 1, "image": "aa", "generations": [], **content}))
    return module.status(Image("aa", str(root), str(root / "aa"), playbook), "Debian\x1b 13", error, time.monotonic() + left)


def test_an_image_that_is_well(root: Path) -> None:
    os.makedirs(root / ".nspawn-runner/aa/generations" / ID)
    (root / ".nspawn-runner/aa/state.json").write_text(
        json.dumps({"format": 1, "image": "aa", "generations": [], "last_run": GOOD, "published": {"id": ID, "published": "2026-11-23T23:15:00Z", "size": 7}})
    )
    assert _found(root) == {
        "image": "aa",
        "system": r"Debian\x1b 13",
        "problem": None,
        **GOOD,
        "failed_runs": 0,
        "published": "2026-11-23T23:15:00Z",
        "generation": ID,
        "hold": None,
        "present": True,
        "size": 7,
        "generations": 1,
        "used_by": ["container of aa", f"container of {ID}"],
        "jobs": [{"image": "aa"}],
    }


def test_a_size_that_is_not_recorded_is_measured_in_the_time_that_is_left(root: Path) -> None:
    assert _found(root, last_run=GOOD)["size"] == 5 << 20
    (root / "aa").rmdir()
    (root / ".nspawn-runner/aa/state.json").unlink()
    assert _found(root, left=-1)["size"] is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param({"last_run": GOOD}, None, id="a run that went well"),
        pytest.param({"last_run": {**GOOD, "result": "held"}, "hold": {"since": "2026-11-24T08:00:00Z", "generation": ID}}, None, id="a hold"),
        pytest.param({"last_run": {**GOOD, "result": "failed", "msg": "no\x1b\nlines"}}, r"no\x1b", id="a failed run"),
        pytest.param({"last_run": {**GOOD, "result": "busy", "msg": "in use"}}, "in use", id="a busy image"),
        pytest.param({"error": "unknown variable\n"}, "unknown variable", id="a playbook that cannot be used"),
        pytest.param({"tree": False}, "aa does not exist", id="a missing tree"),
        pytest.param({"tree": False, "playbook": ""}, None, id="a record without tree and playbook"),
        pytest.param({"hold": {"since": 5}}, "is damaged", id="a damaged record"),
    ],
)
def test_the_problem_of_an_image(root: Path, given: dict[str, Any], problem: str | None) -> None:
    found = _found(root, **given)
    assert (found["problem"] is None) if problem is None else problem in found["problem"]
    assert len(module.row(found)) == len(module.HEADER)
    assert "\n" not in json.dumps(found)


def _ago(days: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))


def test_a_line_of_the_table() -> None:
    found = {"image": "aa", "system": "Debian", "result": "held", "since": _ago(2.5), "failed_runs": 0, "published": _ago(12.5), "generations": 2}
    shown = module.row({**found, "present": True, "hold": {"since": _ago(3.5)}, "size": 1_500_000_000, "used_by": ["container job1", "process 7 (sh)"]})
    assert shown == ("aa", "Debian", "held", "2 days", "12 days", "3 days", "container job1, process 7 (sh)", "0", "2", "1.4 GiB")
    assert module.row({"image": "aa", "system": None, "present": False}) == ("aa", "-", "missing", *"-------")


@pytest.mark.parametrize(("number", "text"), [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 29, "1.5 GiB")])
def test_a_size_has_a_unit(number: int | None, text: str) -> None:
    assert module._size(number) == text

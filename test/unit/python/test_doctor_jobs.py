# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os, replace_os_path

pytest.importorskip("ansible", reason="the doctor looks at Ansible too")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import jobs
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, WARNING, Subject

PROGRAMS = {"gitlab-runner", "pasta", "mkfs.ext4"}


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A host that has all that jobs need, which a test can change."""
    host: dict[str, Any] = {"programs": set(PROGRAMS), "systemd": True, "btrfs": True, "obstacle": "", "kernel": "6.1.0-32-amd64", "loop": True}
    monkeypatch.setattr(jobs, "find_program", lambda name: f"/usr/bin/{name}" if name in host["programs"] else None)
    monkeypatch.setattr(jobs, "has_subvolumes", lambda directory: host["btrfs"])
    monkeypatch.setattr(jobs, "obstacle", lambda directory: host["obstacle"])
    replace_os(monkeypatch, jobs, uname=lambda: SimpleNamespace(release=host["kernel"]), geteuid=lambda: 0)
    replace_os_path(monkeypatch, jobs, exists=lambda path: host["loop"])
    monkeypatch.setattr(jobs, "has_scopes", lambda: host["systemd"])
    return host


def _subject(name: str, root: str = "/srv", **settings: Any) -> Subject:
    return Subject(Image(name, root, f"{root}/{name}", ""), "nspawn.runner.nspawn", {f"nspawn_runner_{key}": value for key, value in settings.items()})


def _rows(*subjects: Subject) -> list[tuple[str, ...]]:
    return list(jobs.jobs("/srv", "/srv", subjects))


ALL = (
    _subject("aa"),
    _subject("bb", job_network="private", job_disk="2G"),
    _subject("cc", job_storage="snapshot", job_user_namespace=False),
    _subject("dd", job_allowed=False, job_disk="2G", job_network="private", job_storage="snapshot"),
    _subject("ee", root="/other", job_storage="snapshot"),
    _subject("ff")._replace(settings=None),
)


def test_a_host_that_has_all(host: dict[str, Any]) -> None:
    assert _rows(*ALL) == [(OK, "3 of 4 images are for jobs; gitlab-runner is installed")]
    host["programs"].remove("gitlab-runner")
    host["systemd"] = False
    assert _rows(*ALL) == [(OK, "3 of 4 images are for jobs; gitlab-runner is not installed, so people alone start jobs")]
    assert _rows() == [(OK, "0 of 0 images are for jobs; gitlab-runner is not installed, so people alone start jobs")]


@pytest.mark.parametrize(
    ("change", "found", "remedy"),
    [
        pytest.param({"programs": PROGRAMS - {"pasta"}}, "no job starts on bb: the program pasta is missing", "apt install passt", id="no pasta"),
        pytest.param({"programs": PROGRAMS - {"mkfs.ext4"}}, "no job starts on bb: mkfs.ext4, which makes a disk", "e2fsprogs", id="no mkfs"),
        pytest.param({"loop": False}, "no job starts on bb: this host has no /dev/loop-control", "module loop", id="no loop devices"),
        pytest.param({"btrfs": False}, "no job starts on cc: /srv has no snapshots", "nspawn_runner_job_storage: overlay", id="no btrfs"),
        pytest.param({"systemd": False}, "memory, swap and processors of jobs have no limit", "boot this host with systemd", id="no scopes"),
        pytest.param({"kernel": "5.18.19"}, "no job starts on aa, bb: Linux 5.18.19 has no overlay", "upgrade the kernel", id="an old kernel"),
    ],
)
def test_each_thing_that_is_missing_has_its_line(host: dict[str, Any], change: dict[str, Any], found: str, remedy: str) -> None:
    host.update(change)
    ((result, told, advice),) = _rows(*ALL)
    assert (result, told[: len(found)]) == (WARNING, found)
    assert remedy in advice


def test_a_job_that_boots_needs_systemd_on_the_host(host: dict[str, Any]) -> None:
    host["programs"].remove("gitlab-runner")
    host["systemd"] = False
    ((result, found, remedy),) = _rows(_subject("aa", job_boot=True), _subject("bb", job_boot=False))
    assert (result, found) == (WARNING, "no job starts on aa: it boots, and systemd is not PID 1 on this host")
    assert remedy == "set nspawn_runner_job_boot: false"


def test_owners_that_cannot_be_mapped_are_told_where_no_other_check_does(host: dict[str, Any]) -> None:
    host["obstacle"] = "the owners cannot be mapped"
    assert _rows(_subject("aa", user_namespace=False), _subject("bb"))[0][0] == OK
    ((result, found, remedy),) = _rows(_subject("aa", user_namespace=False), _subject("bb", user_namespace=False, job_user_namespace=False))
    assert (result, found) == (WARNING, "no job starts on aa: the owners cannot be mapped")
    assert "nspawn_runner_job_user_namespace: false" in remedy

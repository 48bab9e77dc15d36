# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ansible", reason="the doctor looks at Ansible too")

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import doctor
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Check, Subject

HOST = (
    *("user", "ansible", "inventory", "playbooks", "files", "systemd-nspawn", "container", "connection"),
    *("facts", "bootstrap", "clock", "DNS", "mirror", "overlay", "cgroups", "forks"),
)
NOWHERE = doctor.playbooks.Searched([], [], None)
FUNCTIONS = ("user", "ansible", "inventory", "files", "nspawn", "container", "connection", "facts", "tools", "clock", "dns", "overlay", "cgroups", "forks")


def _rows(*arguments: Any) -> Iterator[tuple[str, ...]]:
    yield OK, "fine"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A host on which each check is ok."""
    for name in FUNCTIONS:
        monkeypatch.setattr(doctor.host, name, _rows)
    for module, name in ((doctor.playbooks, "misnamed"), (doctor.mirrors, "mirrors")):
        monkeypatch.setattr(module, name, _rows)
    for name in ("root", "user_namespace", "copies", "image"):
        monkeypatch.setattr(doctor.images, name, _rows)
    monkeypatch.setattr(doctor.jobs, "jobs", _rows)
    return monkeypatch


def _subject(name: str, root: str = "/srv") -> Subject:
    return Subject(Image(name, root, f"{root}/{name}", ""), "nspawn.runner.nspawn")


def test_each_check_has_its_line_in_order(host: pytest.MonkeyPatch) -> None:
    checks = doctor.examine([_subject("aa"), _subject("bb")], True, 5, [], NOWHERE)
    assert [check.check for check in checks] == [*HOST, "root directory", "user namespace", "copies", "jobs", "image aa", "image bb"]
    assert {check[1:] for check in checks} == {(OK, "fine", "")}


def test_each_root_directory_is_looked_at_once(host: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def root(path: str) -> Iterator[tuple[str, ...]]:
        looked.append(path)
        yield OK, path

    host.setattr(doctor.images, "root", root)
    doctor.examine([_subject("aa", "/b"), _subject("bb", "/a"), _subject("cc", "/b")], True, 5, [], NOWHERE)
    assert looked == ["/a", "/b"]


@pytest.mark.parametrize(("variable", "root"), [("/other", "/other"), ("", "/var/lib/nspawn-runner"), (None, "/var/lib/nspawn-runner")])
def test_without_images_the_usual_root_directory_is_looked_at(host: pytest.MonkeyPatch, variable: str | None, root: str) -> None:
    host.delenv("NSPAWN_RUNNER_ROOT", raising=False)
    if variable is not None:
        host.setenv("NSPAWN_RUNNER_ROOT", variable)
    host.setattr(doctor.images, "root", lambda path: iter([(OK, path)]))
    checks = {check.check: check.found for check in doctor.examine([], False, 5, [], NOWHERE)}
    assert checks["root directory"] == root


@pytest.mark.parametrize(
    ("problem", "found", "remedy"),
    [
        pytest.param(RunnerError("no tar", "install tar"), "no tar", "install tar", id="found and remedy"),
        pytest.param(RunnerError("du failed", output=["du: /x: Permission denied"]), "du failed; du: /x: Permission denied", "", id="output of a program"),
        pytest.param(PermissionError(13, "Permission denied", "/x"), "/x: Permission denied", "run Ansible as root", id="a missing right"),
        pytest.param(OSError(5, "Input/output error", "/x"), "/x: Input/output error", "", id="an error of the system"),
    ],
)
def test_an_error_of_a_check_is_a_line_and_ends_no_other(host: pytest.MonkeyPatch, problem: Exception, found: str, remedy: str) -> None:
    host.setattr(os, "geteuid", lambda: 1000)

    def fail() -> Iterator[tuple[str, ...]]:
        yield WARNING, "first"
        raise problem

    host.setattr(doctor.host, "clock", fail)
    checks = doctor.examine([], True, 5, [], NOWHERE)
    assert [check for check in checks if check.result != OK] == [Check("clock", WARNING, "first"), Check("clock", PROBLEM, found, remedy)]
    assert checks[-1].result == OK


def test_text_of_a_tree_cannot_break_the_table(host: pytest.MonkeyPatch) -> None:
    host.setattr(doctor.host, "container", lambda: iter([(PROBLEM, "a\n\x1b[31mb   c\udcff", "x\ty")]))
    check = next(check for check in doctor.examine([], True, 5, [], NOWHERE) if check.check == "container")
    assert (check.found, check.remedy) == (r"a \x1b[31mb c?", "x y")

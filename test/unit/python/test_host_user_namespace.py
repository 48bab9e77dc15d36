# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host import nspawn, user_namespace
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can map the owners of files")


@root_only
def test_a_file_system_whose_owners_can_be_mapped(tmp_path: Path) -> None:
    before = [*os.listdir("/proc/self/fd")]
    assert user_namespace.obstacle(str(tmp_path), [str(tmp_path)]) == ""
    assert [*os.listdir("/proc/self/fd")] == before


@root_only
@pytest.mark.parametrize(("tree", "bind"), [("/proc/sys", "/tmp"), ("/tmp", "/proc/sys")])
def test_a_file_system_whose_owners_cannot_be_mapped_is_named(tree: str, bind: str) -> None:
    assert user_namespace.obstacle(tree, [bind]) == "the owners of the files in /proc/sys cannot be mapped for a user namespace (Invalid argument)"


@root_only
def test_a_bind_with_another_mount_below_is_named() -> None:
    assert "is mounted below" in user_namespace.obstacle("/tmp", ["/"])


@root_only
def test_a_missing_directory_is_the_problem_of_another_message(tmp_path: Path) -> None:
    assert user_namespace.obstacle(str(tmp_path / "none")) == ""


def test_a_kernel_without_user_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def none() -> Iterator[int]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield 0

    monkeypatch.setattr(user_namespace, "user_namespace", none)
    assert user_namespace.obstacle("/srv") == "this host allows no user namespace (No space left on device)"


@root_only
def test_as_a_program_it_prints_a_sentence_with_the_variable(tmp_path: Path) -> None:
    def printed(*arguments: str) -> str:
        # Only a module has run_command. pylint: disable-next=ansible-bad-function
        return subprocess.run([sys.executable, "-I", user_namespace.__file__, *arguments], capture_output=True, text=True, check=True).stdout

    assert printed(str(tmp_path), str(tmp_path)) == ""
    (tmp_path / "a:b").mkdir()
    assert printed(str(tmp_path), f"{tmp_path}/a\\:b:/srv:idmap") == ""
    assert printed(str(tmp_path), "/proc/sys:/srv:idmap") == f"{user_namespace.obstacle('/proc/sys')}: {user_namespace.REMEDY}\n"
    assert "nspawn_runner_user_namespace: false" in user_namespace.REMEDY


@pytest.mark.parametrize(
    ("lines", "sources"),
    [
        pytest.param(["--bind=/a\\:b:/c:idmap", "--bind-ro=/d:/e:idmap"], ["/a:b", "/d"], id="binds"),
        pytest.param(["--bind=/dev/kvm", "--bind=/f:/g", "--setenv=A=/x:idmap"], [], id="other arguments"),
    ],
)
def test_the_owners_of_binds_are_tried_too(monkeypatch: pytest.MonkeyPatch, lines: list[str], sources: list[str]) -> None:
    tried: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(nspawn, "obstacle", lambda tree, binds: tried.append((tree, binds)) or "not possible")
    with pytest.raises(RunnerError, match="nspawn_runner_user_namespace"):
        nspawn.check_user_namespace(lines, "/srv")
    assert tried == [("/srv", sources)]
    nspawn.check_user_namespace([*lines, "--private-users=no"], "/srv")
    assert len(tried) == 1

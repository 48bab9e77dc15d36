# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps


@pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys"])
@pytest.mark.parametrize("target", ["/dev", "nowhere"])
def test_a_link_that_systemd_nspawn_would_follow_is_refused(tmp_path: Path, name: str, target: str) -> None:
    (tmp_path / name).symlink_to(target)
    with pytest.raises(RunnerError) as error:
        refuse_traps(str(tmp_path))
    assert str(tmp_path / name) in error.value.found


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_a_machine_id_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc/machine-id"
    if kind == "link":
        path.symlink_to("/etc/machine-id")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(RunnerError) as error:
        refuse_traps(str(tmp_path))
    assert str(path) in error.value.found


@pytest.mark.parametrize(
    ("directories", "machine_id"),
    [
        pytest.param((), False, id="an empty tree"),
        pytest.param(("etc",), False, id="no machine id"),
        pytest.param(("dev", "etc", "proc", "run", "sys", "usr"), True, id="a usual tree"),
    ],
)
def test_a_plain_tree_is_accepted(tmp_path: Path, directories: tuple[str, ...], machine_id: bool) -> None:
    for name in directories:
        (tmp_path / name).mkdir()
    # As on each merged system.
    (tmp_path / "bin").symlink_to("usr/bin")
    if machine_id:
        (tmp_path / "etc/machine-id").touch()
    refuse_traps(str(tmp_path))

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._image import leftovers

KEPT = ("state.json", "last.log", "container", "generations", "failed", "lock")


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    removed: list[str] = []
    monkeypatch.setattr(leftovers, "remove_tree", lambda path: removed.append(os.path.basename(path)))
    return removed


@pytest.mark.parametrize(
    ("names", "swept"),
    [
        pytest.param((), [], id="an empty state directory"),
        pytest.param(KEPT, [], id="a finished maintenance"),
        pytest.param((*KEPT, "staged"), ["staged"], id="a killed maintenance"),
        pytest.param((*KEPT, "staged", "config"), ["config", "staged"], id="a killed creation"),
        pytest.param((*KEPT, "trash-0a1b2c3d", "trash-x"), ["trash-0a1b2c3d", "trash-x"], id="a killed removal"),
        pytest.param((*KEPT, "staged", "trash-x", "publishing.json"), [], id="a killed swap is completed first"),
    ],
)
def test_leftovers_of_killed_runs(tmp_path: Path, removed: list[str], names: tuple[str, ...], swept: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert leftovers.has_leftovers(str(tmp_path)) == bool(swept)
    leftovers.remove_leftovers(str(tmp_path))
    assert sorted(removed) == swept


@pytest.mark.parametrize("name", ["none", "file", "file/below"])
def test_without_a_state_directory_there_are_no_leftovers(tmp_path: Path, removed: list[str], name: str) -> None:
    (tmp_path / "file").touch()
    assert not leftovers.has_leftovers(str(tmp_path / name))
    leftovers.remove_leftovers(str(tmp_path / name))
    assert removed == []


def test_each_name_that_is_given_out_is_swept(tmp_path: Path, removed: list[str]) -> None:
    paths = {leftovers.trash_path(str(tmp_path)), leftovers.trash_path(str(tmp_path)), leftovers.config_path(str(tmp_path))}
    for path in paths:
        Path(path).touch()
    leftovers.remove_leftovers(str(tmp_path))
    assert len(paths) == 3
    assert sorted(removed) == sorted(map(os.path.basename, paths))

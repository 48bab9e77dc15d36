# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from contextlib import suppress
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
        pytest.param((*KEPT, "inner-result.json", "inner-result.json.new"), ["inner-result.json", "inner-result.json.new"], id="a killed run of a playbook"),
        pytest.param((*KEPT, "state.json.part"), ["state.json.part"], id="a killed writer"),
        pytest.param((*KEPT, "trash-0a1b2c3d", "trash-x"), ["trash-0a1b2c3d", "trash-x"], id="a killed removal"),
        pytest.param((*KEPT, "seed", "seed.json"), [], id="a seed, while the image has no tree"),
        pytest.param((*KEPT, "seed"), ["seed"], id="a seed without its origin"),
        pytest.param((*KEPT, "seed.json"), ["seed.json"], id="an origin without its seed"),
        pytest.param((*KEPT, "seed", "seed.json", "publishing.json"), [], id="a seed, before a swap is completed"),
        pytest.param((*KEPT, "staged", "trash-x", "publishing.json"), [], id="a killed swap is completed first"),
    ],
)
def test_leftovers_of_killed_runs(tmp_path: Path, removed: list[str], names: tuple[str, ...], swept: list[str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    assert leftovers.has_leftovers(str(tmp_path)) == bool(swept)
    leftovers.remove_leftovers(str(tmp_path))
    assert sorted(removed) == swept


def test_a_seed_is_of_no_use_once_the_image_has_a_tree(tmp_path: Path, removed: list[str]) -> None:
    state = tmp_path / ".nspawn-runner/aa"
    for name in ("seed", "seed.json", "state.json"):
        (state / name).mkdir(parents=True)
    assert not leftovers.has_leftovers(str(state))
    (tmp_path / "aa").mkdir()
    leftovers.remove_leftovers(str(state))
    assert sorted(removed) == ["seed", "seed.json"]


@pytest.mark.parametrize("name", ["none", "file", "file/below"])
def test_without_a_state_directory_there_are_no_leftovers(tmp_path: Path, removed: list[str], name: str) -> None:
    (tmp_path / "file").touch()
    assert not leftovers.has_leftovers(str(tmp_path / name))
    leftovers.remove_leftovers(str(tmp_path / name))
    assert removed == []


def test_each_name_that_is_given_out_is_swept(tmp_path: Path, removed: list[str]) -> None:
    state = str(tmp_path)
    paths = {leftovers.trash_path(state), leftovers.trash_path(state), leftovers.config_path(state), leftovers.inner_result_path(state)}
    for path in paths:
        Path(path).mkdir()
    leftovers.remove_leftovers(state)
    assert len(paths) == 4
    assert sorted(removed) == sorted(map(os.path.basename, paths))


def test_a_file_is_removed_without_another_program(tmp_path: Path, removed: list[str]) -> None:
    (tmp_path / "config").touch()
    (tmp_path / "trash-link").symlink_to("/etc/hostname")
    leftovers.remove_leftovers(str(tmp_path))
    assert (removed, os.listdir(tmp_path)) == ([], [])


@pytest.mark.parametrize("fails", [False, True])
def test_a_temporary_file_is_swept_when_the_run_is_killed(tmp_path: Path, fails: bool) -> None:
    with suppress(ZeroDivisionError), leftovers.temporary_file(str(tmp_path)) as descriptor:
        os.write(descriptor, b"x")
        assert leftovers.has_leftovers(str(tmp_path))
        if fails:
            raise ZeroDivisionError
    assert os.listdir(tmp_path) == []

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._tree.mount_points import make_mount_points


@pytest.mark.parametrize(
    ("bind", "made"),
    [
        pytest.param("--bind={host}:/a/b:idmap", ["a", "a/b"], id="a directory"),
        pytest.param("--bind-ro={host}/file:/a/b:idmap", ["a", "a/b"], id="a file"),
        pytest.param("--bind-ro={host}/file:/etc/there/../new", ["etc/new"], id="another way to write a path"),
        pytest.param("--bind=/dev/null", ["dev", "dev/null"], id="a device on the same path"),
        pytest.param("--bind={host}/a\\:b:/x\\:y", ["x:y"], id="colons in paths"),
        pytest.param("--bind={host}/file:/etc/there", [], id="a target that exists"),
        pytest.param("--bind={host}:/etc", [], id="a directory that exists"),
        pytest.param("--bind={host}:/link/new", [], id="behind a link that leads out of the tree"),
        pytest.param("--bind={host}:/etc/there/new", [], id="below a file"),
        pytest.param("--bind={host}:/", [], id="the root directory"),
        pytest.param("--tmpfs=/new", [], id="another argument"),
    ],
)
def test_missing_mount_points_are_made(tmp_path: Path, bind: str, made: list[str]) -> None:
    tree, host = tmp_path / "tree", tmp_path / "host"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/there").touch()
    (tree / "link").symlink_to(host)
    host.mkdir()
    (host / "file").write_text("of the host")
    (host / "a:b").touch()
    before = {*tree.rglob("*")}
    make_mount_points(str(tree), [bind.format(host=host)])
    assert sorted(str(path.relative_to(tree)) for path in {*tree.rglob("*")} - before) == made
    # A directory for a directory, an empty file for all else.
    assert all((tree / path).is_dir() == (path != made[-1] or bind.startswith("--bind={host}:")) for path in made)
    assert sorted(path.name for path in host.iterdir()) == ["a:b", "file"]

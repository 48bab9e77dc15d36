# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._tree import devices

CHARACTER, BLOCK = 0o020000, 0o060000


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, tuple[int, int, int]]:
    """Names of FIFOs that pass for device nodes, each with kind, major and minor. Only root can make real ones."""
    nodes: dict[str, tuple[int, int, int]] = {}
    lstat = os.lstat

    def shown(name: str, dir_fd: int) -> Any:
        if name not in nodes:
            return lstat(name, dir_fd=dir_fd)
        kind, *device = nodes[name]
        return SimpleNamespace(st_mode=kind | 0o666, st_rdev=os.makedev(*device))

    replace_os(monkeypatch, devices, lstat=shown)
    return nodes


def _removed(tree: Path, nodes: dict[str, tuple[int, int, int]]) -> list[str]:
    """The log of the removal from a tree with these nodes."""
    for name in nodes:
        os.mkfifo(tree / name)
    log: list[str] = []
    assert devices.remove_devices(str(tree), log.append) == bool(log)
    return log


@pytest.mark.parametrize(
    ("node", "removed"),
    [
        pytest.param((CHARACTER, 1, 3), None, id="null"),
        pytest.param((CHARACTER, 1, 9), None, id="urandom"),
        pytest.param((CHARACTER, 5, 2), None, id="ptmx"),
        pytest.param((CHARACTER, 1, 1), "character device 1:1", id="mem"),
        pytest.param((CHARACTER, 10, 229), "character device 10:229", id="fuse"),
        pytest.param((BLOCK, 1, 3), "block device 1:3", id="a disk with the number of null"),
        pytest.param((BLOCK, 8, 0), "block device 8:0", id="a disk"),
    ],
)
def test_only_harmless_devices_stay(tmp_path: Path, nodes: dict[str, tuple[int, int, int]], node: tuple[int, int, int], removed: str | None) -> None:
    nodes["node"] = node
    assert _removed(tmp_path, nodes) == ([f"removed the device node node ({removed})"] if removed else [])
    assert os.listdir(tmp_path) == ([] if removed else ["node"])


def test_the_log_has_neither_a_line_for_each_of_many_nodes_nor_control_characters(tmp_path: Path, nodes: dict[str, tuple[int, int, int]]) -> None:
    nodes.update({f"a\n{number:02}\x1b": (BLOCK, 8, number) for number in range(15)})
    log = _removed(tmp_path, nodes)
    assert len(log) == 11
    assert re.fullmatch(r"removed the device node a\\n[0-9]{2}\\x1b \(block device 8:[0-9]+\)", log[0])
    assert log[-1] == "removed 5 more device nodes"
    assert os.listdir(tmp_path) == []


def test_nodes_are_found_at_any_depth_and_other_entries_stay(tmp_path: Path, nodes: dict[str, tuple[int, int, int]]) -> None:
    nodes["node"] = (BLOCK, 8, 0)
    (tmp_path / "d/e").mkdir(parents=True)
    for path in ("d/node", "d/e/node", "d/e/fifo"):
        os.mkfifo(tmp_path / path)
    (tmp_path / "d/link").symlink_to("e")
    (tmp_path / "file").touch()
    assert devices.remove_devices(str(tmp_path), print)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["d", "d/e", "d/e/fifo", "d/link", "file"]

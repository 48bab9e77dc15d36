# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._tree.machine_id import remove_machine_id

ID = "0123456789abcdef0123456789abcdef\n"
OTHER = "f" * 32 + "\n"
SYSTEMD, DBUS = "etc/machine-id", "var/lib/dbus/machine-id"


def _tree(path: Path, files: dict[str, str]) -> Path:
    for directory in ("etc", "var/lib/dbus"):
        (path / directory).mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def _files(tree: Path) -> dict[str, str]:
    return {name: (tree / name).read_text() for name in (SYSTEMD, DBUS) if (tree / name).exists()}


@pytest.mark.parametrize(
    ("staged", "published", "left"),
    [
        pytest.param({SYSTEMD: ID, DBUS: ID}, {}, {SYSTEMD: ""}, id="packages wrote both"),
        pytest.param({SYSTEMD: ID, DBUS: ID}, None, {SYSTEMD: ""}, id="a new image"),
        pytest.param({SYSTEMD: ID}, {SYSTEMD: ""}, {SYSTEMD: ""}, id="the published tree has an empty file"),
        pytest.param({SYSTEMD: ID}, {SYSTEMD: "uninitialized\n"}, {SYSTEMD: ""}, id="the published tree waits for its first boot"),
        pytest.param({SYSTEMD: OTHER, DBUS: OTHER}, {SYSTEMD: ID}, {SYSTEMD: OTHER}, id="an id on purpose, for systemd alone"),
        pytest.param({SYSTEMD: OTHER, DBUS: OTHER}, {SYSTEMD: ID, DBUS: ID}, {SYSTEMD: OTHER, DBUS: OTHER}, id="ids on purpose"),
        pytest.param({SYSTEMD: "uninitialized\n"}, {}, {SYSTEMD: "uninitialized\n"}, id="no id, but a first boot"),
        pytest.param({SYSTEMD: "", DBUS: ""}, {}, {SYSTEMD: "", DBUS: ""}, id="empty files"),
        pytest.param({}, {}, {}, id="no files"),
    ],
)
def test_a_machine_id_leaves_the_tree(tmp_path: Path, staged: dict[str, str], published: dict[str, str] | None, left: dict[str, str]) -> None:
    tree = _tree(tmp_path / "staged", staged)
    before = None if published is None else _tree(tmp_path / "published", published)
    lines: list[str] = []
    remove_machine_id(str(tree), before and str(before), lines.append)
    assert _files(tree) == left
    assert lines == [f"removed the machine id in {path}" for path in (SYSTEMD, DBUS) if left.get(path, "") != staged.get(path, "")]
    if before:
        assert _files(before) == published


def test_an_emptied_file_can_be_written_by_systemd_alone(tmp_path: Path) -> None:
    tree = _tree(tmp_path, {SYSTEMD: ID})
    remove_machine_id(str(tree), None, print)
    assert (tree / SYSTEMD).stat().st_mode & 0o7777 == 0o444


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = _tree(tmp_path / "outside", {SYSTEMD: ID, DBUS: ID})
    tree = _tree(tmp_path / "tree", {})
    (tree / SYSTEMD).symlink_to(outside / SYSTEMD)
    (tree / "var/lib/dbus").rmdir()
    (tree / "var/lib/dbus").symlink_to(outside / "var/lib/dbus")
    remove_machine_id(str(tree), None, print)
    assert _files(outside) == {SYSTEMD: ID, DBUS: ID}
    # Debian's dbus has a link to systemd's file here.
    (tree / "var/lib/dbus").unlink()
    (tree / "var/lib/dbus").mkdir()
    (tree / DBUS).symlink_to("/etc/machine-id")
    remove_machine_id(str(tree), None, print)
    assert (tree / DBUS).is_symlink()

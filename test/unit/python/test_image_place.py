# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host import writable
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import place
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place


def test_paths_of_an_image() -> None:
    image = Place("/var/lib/nspawn-runner", "sid")
    assert image.path == "/var/lib/nspawn-runner/sid"
    assert image.state == "/var/lib/nspawn-runner/.nspawn-runner/sid"
    assert image.staged == f"{image.state}/staged"
    assert image.failed == f"{image.state}/failed"
    assert image.generations == f"{image.state}/generations"
    assert image.journal == f"{image.state}/publishing.json"


@pytest.mark.parametrize("name", ["sid", "debian-12.5", "_x", "A1", "0", "a_b", "x" * 64, "a.b.c"])
def test_a_name_that_an_image_can_have(name: str) -> None:
    assert place.name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(".", id="the root itself"),
        pytest.param("..", id="the directory above"),
        pytest.param(".hidden", id="a dot at the start"),
        pytest.param("-rf", id="a dash at the start: an option"),
        pytest.param("a/b", id="a path"),
        pytest.param("a b", id="a blank"),
        pytest.param("a\n", id="a line feed"),
        pytest.param("a\0", id="a null byte"),
        pytest.param("ü", id="a letter that is not ASCII"),
        pytest.param("a:b", id="a colon, as in a bind mount"),
        pytest.param("a,b", id="a comma, as in --limit"),
        pytest.param("a[1:3]", id="a range of Ansible's inventory"),
        pytest.param("{{ a }}", id="a template"),
        pytest.param("a.", id="a dot at the end"),
        pytest.param("a-", id="a dash at the end"),
        pytest.param("a..b", id="two dots"),
        pytest.param("a.-b", id="a dash after a dot"),
        pytest.param("a-.b", id="a dash before a dot"),
        pytest.param("x" * 65, id="too long for a host name"),
    ],
)
def test_a_name_that_no_image_can_have(name: str) -> None:
    assert place.name_problem(name)


@pytest.mark.parametrize("root", ["", "images", "./images", "/", "/srv/", "/srv//images", "/srv/../images", "/srv/./images", "~/images"])
def test_a_root_directory_is_a_plain_absolute_path(root: str) -> None:
    with pytest.raises(RunnerError) as error:
        place.check_root(root)
    assert f"'{root}'" in error.value.found


def _show(monkeypatch: pytest.MonkeyPatch, path: Path | None = None, mode: int | None = None, uid: int = 0) -> None:
    """Shows all paths as root's, and this path as one with this mode and of this user."""
    lstat = os.lstat

    def shown(name: Any) -> os.stat_result:
        status = list(lstat(name))
        status[stat.ST_UID] = uid if str(name) == str(path) else 0
        if mode is not None and str(name) == str(path):
            status[stat.ST_MODE] = mode
        return os.stat_result(status)

    for module in (place, writable):
        replace_os(monkeypatch, module, lstat=shown)


def test_a_root_directory_that_is_missing_can_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _show(monkeypatch)
    place.check_root(str(tmp_path / "none/where"))


@pytest.mark.parametrize(
    ("mode", "uid", "word"),
    [
        pytest.param(stat.S_IFLNK | 0o777, 0, "symbolic link", id="a link"),
        pytest.param(stat.S_IFREG | 0o600, 0, "not a directory", id="a file"),
        pytest.param(stat.S_IFDIR | 0o700, 1000, "1000", id="of another user"),
        pytest.param(stat.S_IFDIR | 0o720, 0, "chmod go-w", id="the group can write"),
        pytest.param(stat.S_IFDIR | 0o1777, 0, "chmod go-w", id="every user can write"),
    ],
)
def test_a_root_directory_that_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, uid: int, word: str) -> None:
    _show(monkeypatch, tmp_path, mode, uid)
    with pytest.raises(RunnerError) as error:
        place.check_root(str(tmp_path))
    assert str(tmp_path) in error.value.found
    assert word in str(error.value)


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o711])
def test_a_root_directory_that_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int) -> None:
    _show(monkeypatch, tmp_path, stat.S_IFDIR | mode)
    place.check_root(str(tmp_path))


@pytest.mark.parametrize(
    ("above", "mode", "uid", "words"),
    [
        pytest.param("a", stat.S_IFDIR | 0o755, 1000, ["owned by user 1000", "run chown root"], id="by its owner"),
        pytest.param("a/b", stat.S_IFDIR | 0o775, 0, ["users other than root can write", "run chmod go-w"], id="by a group"),
        pytest.param("a", stat.S_IFDIR | 0o777, 0, ["users other than root can write"], id="by every user"),
        pytest.param("a/b/link", None, 1000, ["owned by user 1000"], id="by the owner of a link"),
        pytest.param("target", stat.S_IFDIR | 0o755, 1000, ["owned by user 1000"], id="by the owner of a directory above a link's target"),
    ],
)
def test_a_root_directory_that_another_user_can_replace_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, above: str, mode: int | None, uid: int, words: list[str]
) -> None:
    (tmp_path / "target/c").mkdir(parents=True)
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/link").symlink_to("../../target/./c")
    root = str(tmp_path / "a/b/link/images")
    path = tmp_path / above
    _show(monkeypatch, path, mode, uid)
    for act in (place.check_root, lambda root: place.make_state(root, "sid")):
        with pytest.raises(RunnerError) as error:
            act(root)
        assert f"{root} is below {path}" in error.value.found
        assert [word for word in words if word not in str(error.value)] == []
    assert not os.path.exists(root)


def test_a_directory_that_another_user_made_meanwhile_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _show(monkeypatch, tmp_path / "a", None, 1000)
    with pytest.raises(RunnerError, match="owned by user 1000"):
        place.make_state(str(tmp_path / "a/images"), "sid")


@pytest.mark.parametrize("kind", ["sticky", "links in a circle", "a file"])
def test_what_does_not_let_another_user_replace_the_root_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    _show(monkeypatch, tmp_path / "a", stat.S_IFDIR | 0o1777)
    place.check_root(str(tmp_path / {"sticky": "a", "links in a circle": "circle", "a file": "file"}[kind] / "b/images"))


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_the_state_directory_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _show(monkeypatch)
    root = str(tmp_path / "some/where/images")
    state = place.make_state(root, "sid")
    assert state == f"{root}/.nspawn-runner/sid"
    assert [_mode(path) for path in (root, os.path.dirname(state), state)] == [0o700] * 3


def test_a_state_directory_that_became_readable_is_private_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _show(monkeypatch)
    root = tmp_path / "images"
    (root / ".nspawn-runner/sid").mkdir(parents=True)
    (root / ".nspawn-runner/sid").chmod(0o755)
    root.chmod(0o755)
    state = place.make_state(str(root), "sid")
    # The root directory's mode is the user's.
    assert [_mode(str(root)), _mode(os.path.dirname(state)), _mode(state)] == [0o755, 0o700, 0o700]


def test_a_state_directory_that_is_a_link_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _show(monkeypatch)
    (tmp_path / ".nspawn-runner").symlink_to("/tmp")
    with pytest.raises(RunnerError) as error:
        place.make_state(str(tmp_path), "sid")
    assert str(tmp_path / ".nspawn-runner") in error.value.found


def test_a_state_directory_that_cannot_be_made_is_an_error_with_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _show(monkeypatch)
    (tmp_path / "file").touch()
    with pytest.raises(RunnerError) as error:
        place.make_state(str(tmp_path / "file/images"), "sid")
    assert str(tmp_path / "file/images") in error.value.found


def test_a_state_directory_of_another_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lstat = os.lstat

    def mounted(path: Any) -> os.stat_result:
        status = list(lstat(path))
        status[stat.ST_UID] = 0
        status[stat.ST_DEV] += os.path.basename(path) == "sid"
        return os.stat_result(status)

    replace_os(monkeypatch, place, lstat=mounted)
    with pytest.raises(RunnerError, match="another file system"):
        place.make_state(str(tmp_path), "sid")

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Trees with links, FIFOs and odd paths: nothing of the host is read, waited for or removed.

from __future__ import annotations

import errno
import gc
import os
import stat
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree, and beside it a directory `host` that stands for the host."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/secret").write_text("secret")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/file").write_text("content")
    (tree / "etc/link").symlink_to("../../host/secret")
    (tree / "etc/inner-link").symlink_to("file")
    (tree / "link").symlink_to("../host")
    (tree / "inner-link").symlink_to("etc")
    os.mkfifo(tree / "etc/fifo")
    return tree


@pytest.mark.parametrize("path", ["", "/etc/passwd", "etc//file", "../host/secret", "etc/../../host/secret", "etc/./file", "etc/", ".", ".."])
def test_a_path_that_could_leave_the_tree_is_a_mistake_of_the_caller(tree: Path, path: str) -> None:
    with pytest.raises(ValueError, match="not a plain relative path"):
        beneath.open_beneath(str(tree), path, os.O_PATH)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        pytest.param("etc/link", errno.ELOOP, id="the last component is a link"),
        pytest.param("link/secret", errno.ENOTDIR, id="a directory is a link out of the tree"),
        pytest.param("inner-link/file", errno.ENOTDIR, id="a directory is a link in the tree"),
        pytest.param("etc/file/x", errno.ENOTDIR, id="a directory is a file"),
        pytest.param("etc/none", errno.ENOENT, id="missing"),
        pytest.param("none/x", errno.ENOENT, id="a directory is missing"),
    ],
)
def test_open_beneath_refuses_links(tree: Path, path: str, number: int) -> None:
    # Tracebacks of earlier tests hold descriptors.
    gc.collect()
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(OSError) as error:
        beneath.open_beneath(str(tree), path, os.O_RDONLY)
    assert error.value.errno == number
    assert os.listdir("/proc/self/fd") == descriptors


def test_open_beneath_refuses_a_tree_that_is_a_link(tree: Path) -> None:
    (tree.parent / "to-tree").symlink_to("tree")
    with pytest.raises(NotADirectoryError):
        beneath.open_beneath(str(tree.parent / "to-tree"), "etc/file", os.O_PATH)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("etc/file", b"content", id="a file of exactly the limit"),
        pytest.param("etc/none", None, id="missing"),
        pytest.param("none/none", None, id="the directory is missing"),
        pytest.param("etc", None, id="a directory"),
        pytest.param("etc/link", None, id="a link out of the tree"),
        pytest.param("etc/inner-link", None, id="a link in the tree"),
        pytest.param("link/secret", None, id="through a link out of the tree"),
        pytest.param("etc/file/x", None, id="through a file"),
        pytest.param("etc/fifo", None, id="a FIFO, without waiting for a writer"),
        pytest.param("etc/" + "x" * 300, None, id="a name that is too long"),
    ],
)
def test_read_file(tree: Path, path: str, content: bytes | None) -> None:
    assert beneath.read_file(str(tree), path, len("content")) == content


def test_read_file_refuses_one_byte_more_than_the_limit(tree: Path) -> None:
    assert beneath.read_file(str(tree), "etc/file", len("content") - 1) is None


def test_read_file_does_not_hide_a_missing_right(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(beneath, "open_beneath", refuse)
    with pytest.raises(PermissionError):
        beneath.read_file(str(tree), "etc/file", 100)


@pytest.mark.parametrize(
    ("path", "is_directory"),
    [("", True), ("etc", True), ("none", False), ("etc/file", False), ("link", False), ("inner-link", False), ("etc/fifo", False)],
)
def test_directory_beneath(tree: Path, path: str, is_directory: bool) -> None:
    with beneath.directory_beneath(str(tree), path) as descriptor:
        assert (descriptor is not None) == is_directory
        assert descriptor is None or os.path.samestat(os.fstat(descriptor), os.stat(tree / path))


def test_directory_beneath_closes_its_descriptor_after_an_error(tree: Path) -> None:
    with pytest.raises(ZeroDivisionError), beneath.directory_beneath(str(tree), "etc") as descriptor:
        assert descriptor is not None
        raise ZeroDivisionError
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        pytest.param("cache/*.bin", ["a.bin.txt", "b", "d.bin"], id="a glob removes files and links, never a directory"),
        pytest.param("cache/b", ["a.bin", "a.bin.txt", "c.bin", "d.bin"], id="one file"),
        pytest.param("cache/none", ["a.bin", "a.bin.txt", "b", "c.bin", "d.bin"], id="a missing file"),
        pytest.param("*/b", ["a.bin", "a.bin.txt", "b", "c.bin", "d.bin"], id="directories are no globs"),
        pytest.param("none/*", ["a.bin", "a.bin.txt", "b", "c.bin", "d.bin"], id="a missing directory"),
    ],
)
def test_remove_files(tree: Path, pattern: str, left: list[str]) -> None:
    cache = tree / "cache"
    (cache / "d.bin").mkdir(parents=True)
    for name in ("a.bin", "a.bin.txt", "b"):
        (cache / name).touch()
    (cache / "c.bin").symlink_to("../../host/secret")
    beneath.remove_files(str(tree), pattern)
    assert sorted(path.name for path in cache.iterdir()) == left
    assert (tree.parent / "host/secret").exists()


def test_remove_files_at_the_top_of_the_tree(tree: Path) -> None:
    beneath.remove_files(str(tree), "*link")
    assert sorted(path.name for path in tree.iterdir()) == ["etc"]


def test_remove_files_follows_no_link_to_a_directory(tree: Path) -> None:
    beneath.remove_files(str(tree), "link/*")
    assert (tree.parent / "host/secret").read_text() == "secret"


@pytest.mark.parametrize("path", ["link/secret", "etc/none", "none/none", "etc"])
def test_remove_file_leaves_all_else_alone(tree: Path, path: str) -> None:
    before = sorted(tree.rglob("*"))
    beneath.remove_file(str(tree), path)
    assert sorted(tree.rglob("*")) == before
    assert (tree.parent / "host/secret").exists()


def test_remove_file_removes_a_link_and_not_its_target(tree: Path) -> None:
    beneath.remove_file(str(tree), "etc/link")
    assert not (tree / "etc/link").is_symlink()
    assert (tree.parent / "host/secret").exists()


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("file", id="a file with content"),
        pytest.param("link", id="a link out of the tree"),
        pytest.param("fifo", id="a FIFO"),
        pytest.param("machine-id", id="nothing"),
    ],
)
def test_empty_file(tree: Path, before: str) -> None:
    if (tree / "etc" / before).is_symlink() or (tree / "etc" / before).exists():
        (tree / "etc" / before).rename(tree / "etc/machine-id")
    beneath.empty_file(str(tree), "etc/machine-id")
    status = (tree / "etc/machine-id").lstat()
    assert (stat.S_IMODE(status.st_mode), stat.S_ISREG(status.st_mode), status.st_size) == (0o444, True, 0)
    assert (tree.parent / "host/secret").read_text() == "secret"


@pytest.mark.parametrize("path", ["none/machine-id", "link/machine-id"])
def test_empty_file_makes_no_directory_and_follows_no_link(tree: Path, path: str) -> None:
    beneath.empty_file(str(tree), path)
    assert not (tree / "none").exists()
    assert [entry.name for entry in (tree.parent / "host").iterdir()] == ["secret"]


def _python(tree: Path, kind: str) -> None:
    if kind == "usr is a link":
        (tree / "usr").symlink_to("/usr")
        return
    if kind == "bin is a link":
        (tree / "usr").mkdir()
        (tree / "usr/bin").symlink_to("/usr/bin")
        return
    (tree / "usr/bin").mkdir(parents=True)
    if kind == "a link":
        (tree / "usr/bin/python3").symlink_to("python3.99")
    elif kind == "a file":
        (tree / "usr/bin/python3").touch()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("a file", True), ("a link", True), ("missing", False), ("usr is a link", False), ("bin is a link", False)],
)
def test_has_python(tmp_path: Path, kind: str, expected: bool) -> None:
    # The host of a test has /usr/bin/python3.
    _python(tmp_path, kind)
    assert beneath.has_python(str(tmp_path)) is expected


def _walked(*trees: Path) -> list[str]:
    """The directories of a walk that enters each directory that it sees."""
    paths = []
    for names, directories, enter in beneath.walk(*map(str, trees)):
        paths.append("/".join(names))
        for name in os.listdir(directories[0]):
            if stat.S_ISDIR(os.lstat(name, dir_fd=directories[0]).st_mode):
                enter(name)
    return paths


@pytest.mark.parametrize("opened", [1, 2, 64])
def test_a_walk_reaches_each_directory_after_the_one_above(monkeypatch: pytest.MonkeyPatch, tree: Path, opened: int) -> None:
    monkeypatch.setattr(beneath, "_OPEN", opened)
    for path in ("a/b/c", "a/b/d/e", "a/f", "g/h/i/j"):
        (tree / path).mkdir(parents=True)
    paths = _walked(tree)
    assert sorted(paths) == ["", "a", "a/b", "a/b/c", "a/b/d", "a/b/d/e", "a/f", "etc", "g", "g/h", "g/h/i", "g/h/i/j"]
    assert [path for path in paths if path and paths.index(os.path.dirname(path)) > paths.index(path)] == []


def test_a_walk_has_a_descriptor_for_each_tree(tree: Path) -> None:
    (tree.parent / "copy/etc").mkdir(parents=True)
    for names, directories, enter in beneath.walk(str(tree), str(tree.parent / "copy")):
        assert [os.readlink(f"/proc/self/fd/{directory}") for directory in directories] == [str(Path(top, *names)) for top in (tree, tree.parent / "copy")]
        if not names:
            enter("etc")
    assert names == []


@pytest.mark.parametrize("name", ["link", "inner-link", "etc/file", "none"])
def test_a_walk_follows_no_link_and_leaves_no_descriptor_open(tree: Path, name: str) -> None:
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(OSError):
        for _names, _directories, enter in beneath.walk(str(tree)):
            enter(name)
    assert os.listdir("/proc/self/fd") == descriptors


def test_a_walk_has_few_descriptors_and_little_memory_and_work_at_any_depth(
    monkeypatch: pytest.MonkeyPatch, tree: Path, deep: Callable[[Path, int], int]
) -> None:
    deep(tree, 2_200)
    calls: list[str] = []
    replace_os(monkeypatch, beneath, open=lambda *arguments, **options: calls.append("open") or os.open(*arguments, **options))
    most = count = 0
    tracemalloc.start()
    for _names, directories, enter in beneath.walk(str(tree)):
        count += 1
        most = max(most, directories[-1])
        with suppress(FileNotFoundError):
            os.stat("d", dir_fd=directories[0])
            enter("d")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2_201
    # The kernel gives the lowest number that is free.
    assert most < 3 * beneath._OPEN
    assert len(calls) < 3 * count
    assert peak < 1 << 20


@pytest.mark.parametrize("shape", ["wide", "deep"])
def test_a_walk_of_too_many_directories_is_an_error(monkeypatch: pytest.MonkeyPatch, tree: Path, shape: str) -> None:
    monkeypatch.setattr(beneath, "_HELD", 10)
    for number in range(12):
        (tree / "etc" / (str(number) if shape == "wide" else "/".join("d" * number))).mkdir(parents=True, exist_ok=True)
    with pytest.raises(beneath.TooLarge) as error:
        _walked(tree)
    assert str(tree) in error.value.found


def test_directories_that_were_entered_before_are_not_held(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    monkeypatch.setattr(beneath, "_HELD", 10)
    for number in range(5):
        (tree / f"etc/{number}/a/b").mkdir(parents=True)
    assert len(_walked(tree)) == 17


def test_a_walk_never_leaves_a_tree_whose_directories_are_moved(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    monkeypatch.setattr(beneath, "_OPEN", 1)
    (tree / "etc/a/b").mkdir(parents=True)
    with pytest.raises(OSError, match="moved"):
        for names, _directories, enter in beneath.walk(str(tree)):
            if names[-1:] == ["b"]:
                (tree / "etc/a/b").rename(tree.parent / "host/b")
            elif len(names) < 3:
                enter(["etc", "a", "b"][len(names)])

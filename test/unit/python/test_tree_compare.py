# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Two small trees, of which each entry counts as changed since the copy.

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree import compare

NOW = compare.Moment(0, compare.clock_offset())


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """A staged tree and the published one that it is a copy of."""
    published = tmp_path / "published"
    for directory in ("etc", "tmp", "usr/lib/__pycache__", "var/log/journal", "var/cache/apt", "home/app", "srv/app/.git/refs", "srv/app/.git/logs"):
        (published / directory).mkdir(parents=True)
    (published / "etc/file").write_text("content")
    (published / "etc/link").symlink_to("file")
    (published / "var/log/syslog").write_text("line")
    shutil.copytree(published, tmp_path / "staged", symlinks=True)
    return tmp_path / "staged", published


def _difference(trees: tuple[Path, Path], *ignored: str) -> str | None:
    return compare.difference(str(trees[0]), str(trees[1]), NOW, ignored)


def _write(path: Path, text: str) -> None:
    """Another content of the same size and time."""
    times = path.stat()
    path.write_text(text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _again(path: Path) -> None:
    """The same content in a new file of another time."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)
    os.utime(path, ns=(0, 1))


def _fill(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
    make(path)


# How the staged tree changes, and the path that is then reported.
CHANGES: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "nothing": (lambda tree: None, None),
    "a file's content": (lambda tree: _write(tree / "etc/file", "CONTENT"), "etc/file"),
    "a file's size": (lambda tree: _write(tree / "etc/file", "more content"), "etc/file"),
    "a file's time": (lambda tree: os.utime(tree / "etc/file", ns=(0, 0)), None),
    "a file that was written again": (lambda tree: _again(tree / "etc/file"), None),
    "a file that was written again, with another content": (lambda tree: (tree / "etc/file").write_text("CONTENT"), "etc/file"),
    "a link that was made again": (lambda tree: _replace(tree / "etc/link", lambda path: path.symlink_to("file")), None),
    "a directory that was made again": (lambda tree: _replace(tree / "var/log/journal", Path.mkdir), None),
    "a file's mode": (lambda tree: (tree / "etc/file").chmod(0o4755), "etc/file"),
    "a file's links": (lambda tree: os.link(tree / "etc/file", tree / "tmp/file"), "etc/file"),
    "a directory's mode": (lambda tree: (tree / "etc").chmod(0o700), "etc"),
    "a directory's time": (lambda tree: os.utime(tree / "etc", ns=(0, 0)), None),
    "the mode of the tree itself": (lambda tree: tree.chmod(0o700), "."),
    "a new file": (lambda tree: (tree / "etc/new").touch(), "etc/new"),
    "a file that is gone": (lambda tree: (tree / "etc/file").unlink(), "etc/file"),
    "a new empty directory": (lambda tree: (tree / "opt").mkdir(), "opt"),
    "a link's target": (lambda tree: _replace(tree / "etc/link", lambda path: path.symlink_to("fil2")), "etc/link"),
    "a link in place of a file": (lambda tree: _replace(tree / "etc/file", lambda path: path.symlink_to("x")), "etc/file"),
    "a FIFO in place of a file": (lambda tree: _replace(tree / "etc/file", os.mkfifo), "etc/file"),
    "a file in an ignored directory": (lambda tree: (tree / "tmp/new").touch(), None),
    "the mode of an ignored directory": (lambda tree: (tree / "tmp").chmod(0o1777), "tmp"),
    "an ignored directory that is gone": (lambda tree: (tree / "var/cache/apt").rmdir(), None),
    "an ignored name": (lambda tree: (tree / "usr/lib/__pycache__/x.pyc").touch(), None),
    "a module that Ansible sent to a user": (lambda tree: _fill(tree / "home/app/.ansible/tmp/x/module"), None),
    "a task in the background of a user": (lambda tree: _fill(tree / "home/app/.ansible_async/j1.2"), None),
    "a user's collection": (lambda tree: _fill(tree / "home/app/.ansible/collections/x"), "home/app/.ansible"),
    "a file in place of Ansible's directory": (lambda tree: _fill(tree / "home/app/.ansible"), "home/app/.ansible"),
    "a link in place of Ansible's directory": (lambda tree: (tree / "home/app/.ansible").symlink_to("/tmp"), "home/app/.ansible"),
    "Ansible's directory within itself": (lambda tree: _fill(tree / "home/app/.ansible/.ansible/tmp/x"), "home/app/.ansible"),
    "the index and the log of a checkout": (lambda tree: [_fill(tree / "srv/app/.git" / name) for name in ("index", "logs/HEAD")], None),
    "the index and the log of a submodule": (lambda tree: _fill(tree / "srv/app/.git/modules/sub/index"), "srv/app/.git/modules"),
    "a reference of a checkout": (lambda tree: _fill(tree / "srv/app/.git/refs/index"), "srv/app/.git/refs/index"),
    "an index elsewhere": (lambda tree: _fill(tree / "srv/app/index"), "srv/app/index"),
    "a line of a log": (lambda tree: (tree / "var/log/syslog").write_text("line\nline"), None),
    "a new log": (lambda tree: (tree / "var/log/new").touch(), None),
    "a new directory of logs": (lambda tree: (tree / "var/log/apt").mkdir(), "var/log/apt"),
    "the mode of a directory of logs": (lambda tree: (tree / "var/log/journal").chmod(0o2755), "var/log/journal"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_difference(trees: tuple[Path, Path], change: str) -> None:
    make, path = CHANGES[change]
    make(trees[0])
    assert _difference(trees) == path


def test_the_index_of_a_submodule_is_ignored(trees: tuple[Path, Path]) -> None:
    for tree in trees:
        _fill(tree / "srv/app/.git/modules/sub/HEAD")
    _fill(trees[0] / "srv/app/.git/modules/sub/index")
    assert _difference(trees) is None
    _fill(trees[0] / "srv/app/.git/modules/sub/refs/index")
    assert _difference(trees) == "srv/app/.git/modules/sub/refs"


def test_an_image_has_ignored_paths_of_its_own(trees: tuple[Path, Path]) -> None:
    (trees[0] / "etc/file").write_text("more")
    _fill(trees[0] / "home/app/cache/deep/x")
    assert _difference(trees, "etc/file") == "home/app/cache"
    assert _difference(trees, "home/app/cache") == "etc/file"
    assert _difference(trees, "etc/fil", "home/app/cache/deep") is not None
    assert _difference(trees, "etc/file", "home/app/cache") is None
    assert _difference(trees, "etc", "home/app") is None
    # The directory itself is not ignored.
    (trees[0] / "etc").chmod(0o700)
    assert _difference(trees, "etc", "home/app") == "etc"


@pytest.mark.parametrize("depth", [1, 2_200])
def test_directories_that_only_hold_ignored_entries_take_no_stack(deep: Callable[..., int], trees: tuple[Path, Path], depth: int) -> None:
    deep(trees[0] / "home/app", depth, ".git")
    assert _difference(trees) == (None if depth == 1 else "home/app/.git")


def _moment(directory: Path) -> compare.Moment:
    """The present time by the clock of the files, later than all changes so far."""
    before = after = 0
    while before == after:
        (directory / "clock").touch()
        before, after = after or (directory / "clock").stat().st_ctime_ns, (directory / "clock").stat().st_ctime_ns
    return compare.Moment(after, compare.clock_offset())


def test_entries_without_a_change_since_the_copy_are_not_compared(trees: tuple[Path, Path]) -> None:
    _write(trees[1] / "etc/file", "CONTENT")
    since = _moment(trees[0].parent)
    assert compare.difference(str(trees[0]), str(trees[1]), since) is None
    (trees[0] / "etc/new").touch()
    assert compare.difference(str(trees[0]), str(trees[1]), since) == "etc/new"
    (trees[0] / "etc/new").unlink()
    _write(trees[0] / "etc/link", "touched")
    assert compare.difference(str(trees[0]), str(trees[1]), since) == "etc/file"


def test_a_renamed_directory_is_looked_through(trees: tuple[Path, Path]) -> None:
    # The files in the directory have old times, and only the directories count as changed.
    for tree in trees:
        for name in ("a", "b"):
            (tree / "etc" / name / "below").mkdir(parents=True)
            (tree / "etc" / name / "below/file").write_text(name)
            os.utime(tree / "etc" / name / "below/file", ns=(0, 0))
    since = _moment(trees[0].parent)
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        (trees[0] / "etc" / old).rename(trees[0] / "etc" / new)
    assert compare.difference(str(trees[0]), str(trees[1]), since) in ("etc/a/below/file", "etc/b/below/file")


def test_a_published_tree_without_a_directory_is_different(trees: tuple[Path, Path]) -> None:
    (trees[1] / "usr/lib").rename(trees[1].parent / "lib")
    (trees[1] / "usr/lib").symlink_to(trees[1].parent / "lib")
    since = _moment(trees[0].parent)
    assert compare.difference(str(trees[0]), str(trees[1]), since) == "usr/lib"
    (trees[1] / "usr/lib").unlink()
    assert compare.difference(str(trees[0]), str(trees[1]), since) == "usr/lib"


def test_a_directory_that_replaced_a_log_or_the_reverse_is_a_difference(trees: tuple[Path, Path]) -> None:
    _replace(trees[0] / "var/log/syslog", Path.mkdir)
    assert _difference(trees) == "var/log/syslog"
    assert _difference((trees[1], trees[0])) == "var/log/syslog"


def test_a_tree_that_cannot_be_read_is_an_error_with_both_paths(monkeypatch: pytest.MonkeyPatch, trees: tuple[Path, Path]) -> None:
    def fail(*trees: str) -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(compare.beneath, "walk", fail)
    with pytest.raises(RunnerError) as error:
        _difference(trees)
    assert str(trees[0]) in error.value.found
    assert str(trees[1]) in error.value.found
    assert "Input/output error" in str(error.value)


@pytest.mark.parametrize(
    ("set_by", "oldest"),
    [
        pytest.param(0.0, 10_000_000_000, id="the clock was not set"),
        pytest.param(-0.5, 9_500_000_000, id="the clock was corrected a little"),
        pytest.param(3600.0, compare._ALL, id="the clock was set"),
        pytest.param(-3600.0, compare._ALL, id="the clock was set back"),
    ],
)
def test_which_changes_can_be_later_than_the_copy(monkeypatch: pytest.MonkeyPatch, set_by: float, oldest: int) -> None:
    monkeypatch.setattr(compare, "clock_offset", lambda: 1000.0 + set_by)
    assert compare._oldest_change(compare.Moment(10 * 10**9, 1000.0)) == oldest


def _sparse(trees: tuple[Path, Path], *positions: int) -> None:
    """Files of 4 TiB with a byte of data at these positions."""
    for tree in trees:
        with (tree / "etc/file").open("r+b") as file:
            file.truncate(4 << 40)
            for position in positions:
                os.pwrite(file.fileno(), b"x", position)
        os.utime(tree / "etc/file", ns=(0, 0))


@pytest.mark.parametrize("changed", [None, 0, 3 << 40, (4 << 40) - 1])
def test_holes_of_files_are_not_read(monkeypatch: pytest.MonkeyPatch, trees: tuple[Path, Path], changed: int | None) -> None:
    _sparse(trees, 1 << 30, 3 << 40)
    if changed is not None:
        with (trees[0] / "etc/file").open("r+b") as file:
            os.pwrite(file.fileno(), b"y", changed)
        os.utime(trees[0] / "etc/file", ns=(0, 0))
    reads: list[int] = []
    replace_os(monkeypatch, compare, pread=lambda file, size, position: reads.append(size) or os.pread(file, size, position))
    assert _difference(trees) == (None if changed is None else "etc/file")
    assert len(reads) < 20
    assert sum(reads) < 20 << 20


def test_trees_with_more_bytes_than_are_read_count_as_different(monkeypatch: pytest.MonkeyPatch, trees: tuple[Path, Path]) -> None:
    monkeypatch.setattr(compare, "_CHUNK", 4)
    monkeypatch.setattr(compare, "_READ", 8)
    assert _difference(trees) is None
    monkeypatch.setattr(compare, "_READ", 4)
    assert _difference(trees) == "./etc"


def test_trees_with_too_many_directories_count_as_different(monkeypatch: pytest.MonkeyPatch, trees: tuple[Path, Path]) -> None:
    monkeypatch.setattr(compare.beneath, "_HELD", 2)
    assert _difference(trees) is not None


def test_a_path_of_any_length_is_compared_in_bounded_memory(deep: Callable[[Path, int], int], trees: tuple[Path, Path]) -> None:
    bottoms = [deep(tree, 2_200) for tree in trees]
    tracemalloc.start()
    assert _difference(trees) is None
    os.mkdir("new", dir_fd=bottoms[0])
    path = str(_difference(trees))
    assert (path[-8:], len(path)) == ("/d/d/new", 4096)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20

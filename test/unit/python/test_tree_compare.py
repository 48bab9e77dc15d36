# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Two small trees. find(1), which needs root to be guarded, is replaced by a walk that finds every path.

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree import compare

NOW = compare.Moment(0, compare.clock_offset())


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("tmp", True),
        ("tmp/x/y", True),
        ("tmpfs", False),
        ("srv/tmp", False),
        ("var/cache/apt/archives/x.deb", True),
        ("var/cache", False),
        ("var/lib/dpkg/lock", True),
        ("var/lib/dpkg/lock-other", False),
        ("var/lib/dpkg/status", False),
        ("usr/lib/python3/__pycache__/x.pyc", True),
        ("usr/lib/__pycache__", True),
        ("usr/lib/x__pycache__", False),
        ("var/log/syslog", False),
        ("", False),
    ],
)
def test_is_ignored(path: str, ignored: bool) -> None:
    assert compare._is_ignored(path) is ignored


@pytest.fixture
def trees(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """A staged tree and the published one that it is a copy of."""
    published = tmp_path / "published"
    for directory in ("etc", "tmp", "usr/lib/__pycache__", "var/log/journal", "var/cache/apt"):
        (published / directory).mkdir(parents=True)
    (published / "etc/file").write_text("content")
    (published / "etc/link").symlink_to("file")
    (published / "var/log/syslog").write_text("line")
    shutil.copytree(published, tmp_path / "staged", symlinks=True)

    def find(tree: str, *tests: str) -> list[str]:
        paths = ["."] + [os.path.join(where, name) for where, directories, files in os.walk(tree) for name in (*directories, *files)]
        return ["" if path == "." else os.path.relpath(path, tree) for path in paths]

    monkeypatch.setattr(compare.beneath, "find", find)
    return tmp_path / "staged", published


def _difference(trees: tuple[Path, Path]) -> str | None:
    return compare.difference(str(trees[0]), str(trees[1]), NOW)


def _write(path: Path, text: str) -> None:
    """Another content of the same size and time."""
    times = path.stat()
    path.write_text(text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


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
    "a file's time": (lambda tree: os.utime(tree / "etc/file", ns=(0, 0)), "etc/file"),
    "a file's mode": (lambda tree: (tree / "etc/file").chmod(0o4755), "etc/file"),
    "a file's links": (lambda tree: os.link(tree / "etc/file", tree / "tmp/file"), "etc/file"),
    "a directory's mode": (lambda tree: (tree / "etc").chmod(0o700), "etc"),
    "a directory's time": (lambda tree: os.utime(tree / "etc", ns=(0, 0)), None),
    "the mode of the tree itself": (lambda tree: tree.chmod(0o700), "."),
    "a new file": (lambda tree: (tree / "etc/new").touch(), "etc/new"),
    "a file that is gone": (lambda tree: (tree / "etc/file").unlink(), "etc/file"),
    "a new empty directory": (lambda tree: (tree / "srv").mkdir(), "srv"),
    "a link's target": (lambda tree: _replace(tree / "etc/link", lambda path: path.symlink_to("fil2")), "etc/link"),
    "a link in place of a file": (lambda tree: _replace(tree / "etc/file", lambda path: path.symlink_to("x")), "etc/file"),
    "a FIFO in place of a file": (lambda tree: _replace(tree / "etc/file", os.mkfifo), "etc/file"),
    "a file in an ignored directory": (lambda tree: (tree / "tmp/new").touch(), None),
    "the mode of an ignored directory": (lambda tree: (tree / "tmp").chmod(0o1777), "tmp"),
    "an ignored directory that is gone": (lambda tree: (tree / "var/cache/apt").rmdir(), None),
    "an ignored name": (lambda tree: (tree / "usr/lib/__pycache__/x.pyc").touch(), None),
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


def test_a_renamed_directory_is_looked_through(monkeypatch: pytest.MonkeyPatch, trees: tuple[Path, Path]) -> None:
    # The files in the directory have old times, and find(1) reports the directories alone.
    for tree in trees:
        for name in ("a", "b"):
            (tree / "etc" / name).mkdir()
            (tree / "etc" / name / "file").write_text(name)
            os.utime(tree / "etc" / name / "file", ns=(0, 0))
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        (trees[0] / "etc" / old).rename(trees[0] / "etc" / new)
    monkeypatch.setattr(compare.beneath, "find", lambda tree, *tests: ["etc", "etc/a", "etc/b"])
    assert _difference(trees) == "etc/a/file"


def test_a_tree_that_cannot_be_read_is_an_error_with_both_paths(monkeypatch: pytest.MonkeyPatch, trees: tuple[Path, Path]) -> None:
    def fail(tree: str, *tests: str) -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(compare.beneath, "find", fail)
    with pytest.raises(RunnerError) as error:
        _difference(trees)
    assert str(trees[0]) in error.value.found
    assert str(trees[1]) in error.value.found
    assert "Input/output error" in str(error.value)


@pytest.mark.parametrize(
    ("set_by", "tests"),
    [
        pytest.param(0.0, ["-newerct", "@9.999999999"], id="the clock was not set"),
        pytest.param(-0.5, ["-newerct", "@9.499999999"], id="the clock was corrected a little"),
        pytest.param(3600.0, ["-true"], id="the clock was set"),
        pytest.param(-3600.0, ["-true"], id="the clock was set back"),
    ],
)
def test_which_files_are_looked_at(monkeypatch: pytest.MonkeyPatch, set_by: float, tests: list[str]) -> None:
    asked: list[list[str]] = []

    def find(tree: str, *arguments: str) -> list[str]:
        asked.append([*arguments])
        return ["tmp/x", "etc/b", "etc", ""]

    monkeypatch.setattr(compare.beneath, "find", find)
    monkeypatch.setattr(compare, "clock_offset", lambda: 1000.0 + set_by)
    assert compare._touched("/tree", compare.Moment(10 * 10**9, 1000.0)) == ["", "etc", "etc/b"]
    assert asked == [["-xdev", *tests]]


@pytest.mark.parametrize("nanoseconds", [1, 10**9, 1_700_000_000_000_000_001])
def test_the_time_that_find_gets_is_one_nanosecond_earlier(monkeypatch: pytest.MonkeyPatch, nanoseconds: int) -> None:
    asked: list[str] = []
    monkeypatch.setattr(compare.beneath, "find", lambda tree, *arguments: asked.extend(arguments) or [])
    monkeypatch.setattr(compare, "clock_offset", lambda: 1000.0)
    compare._touched("/tree", compare.Moment(nanoseconds, 1000.0))
    seconds, fraction = asked[-1].removeprefix("@").split(".")
    assert int(seconds) * 10**9 + int(fraction) == nanoseconds - 1
    assert len(fraction) == 9

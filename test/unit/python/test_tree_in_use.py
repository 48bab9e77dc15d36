# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Mount tables as text, locks in a directory of the test, processes of the test.

from __future__ import annotations

import fcntl
import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use

ROOT = "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"


def _mount_table(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    monkeypatch.setattr(in_use, "open", lambda *arguments, **options: io.StringIO(text), raising=False)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("/plain", "/plain"),
        (r"/a\040b", "/a b"),
        (r"/tab\011x", "/tab\tx"),
        (r"/line\012x", "/line\nx"),
        (r"/back\134slash", "/back\\slash"),
        (r"/\134040", r"/\040"),
        (r"/no\9escape", r"/no\9escape"),
    ],
)
def test_octal_escapes_of_the_kernel(field: str, text: str) -> None:
    assert in_use._plain(field) == text


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        pytest.param(ROOT, ("8:1", "/", "/", "rw"), id="with an optional field"),
        pytest.param("30 29 0:5 / /proc rw - proc proc rw", ("0:5", "/", "/proc", "rw"), id="without optional fields"),
        pytest.param("31 29 8:1 /srv /mnt rw shared:2 master:1 - ext4 /dev/sda1 rw,discard", ("8:1", "/srv", "/mnt", "rw,discard"), id="a bind mount"),
        pytest.param(r"32 29 8:1 /a\040- /b\040c rw - ext4 /dev/x rw", ("8:1", "/a -", "/b c", "rw"), id="blanks in paths"),
        pytest.param(
            r"33 29 0:40 / /m rw - overlay overlay rw,lowerdir=/a\040b:/c",
            ("0:40", "/", "/m", r"rw,lowerdir=/a\040b:/c"),
            id="escaped options",
        ),
    ],
)
def test_a_line_of_mountinfo(monkeypatch: pytest.MonkeyPatch, line: str, mount: tuple[str, ...]) -> None:
    _mount_table(monkeypatch, line)
    assert list(in_use._mounts("self")) == [in_use.Mount(*mount)]


def test_the_mount_table_of_this_process_can_be_read() -> None:
    assert "/" in [mount.point for mount in in_use._mounts("self")]


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        pytest.param("rw,relatime", [], id="no overlay"),
        pytest.param("rw,lowerdir=/a,upperdir=/b,workdir=/c", ["/a", "/b", "/c"], id="one of each"),
        pytest.param("rw,lowerdir=/a:/b:/c", ["/a", "/b", "/c"], id="several lower layers"),
        pytest.param("rw,lowerdir+=/a,lowerdir+=/b", ["/a", "/b"], id="the form of newer kernels"),
        pytest.param("rw,lowerdir=/a::/data", ["/a", "", "/data"], id="layers for data only"),
        pytest.param("rw,datadir+=/d", ["/d"], id="a data layer of newer kernels"),
        pytest.param(r"rw,lowerdir=/a\:b:/c", ["/a:b", "/c"], id="an escaped colon"),
        pytest.param(r"rw,lowerdir=/a\134\054b:/e\054f,upperdir=/c\040d", ["/a,b", "/e,f", "/c d"], id="commas and a blank"),
        pytest.param("rw,lowerdir=/x/../a", ["/a"], id="a path that is not plain"),
        pytest.param("rw,xino=lowerdir", [], id="an option whose value is that word"),
    ],
)
def test_layers_of_an_overlay(options: str, layers: list[str]) -> None:
    assert list(in_use._layers(options)) == layers


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/srv/aa", True), ("/srv/aa/etc", True), ("/srv/aab", False), ("/srv", False), ("", False)],
)
def test_beneath(path: str, expected: bool) -> None:
    assert in_use._beneath(path, "/srv/aa") is expected


def test_names_of_systemd_nspawns_locks(tmp_path: Path) -> None:
    status = tmp_path.stat()
    assert in_use.lock_file(status) == f"/run/systemd/nspawn/locks/inode-{status.st_dev}:{status.st_ino}"
    assert in_use.lock_beside("/var/lib/nspawn-runner/sid") == "/var/lib/nspawn-runner/.#sid.lck"


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        pytest.param([ROOT], ("8:1", "/tmp/tree"), id="on the root file system"),
        pytest.param([ROOT, "31 29 8:2 / /tmp rw - ext4 /dev/b rw"], ("8:2", "/tree"), id="on its own file system"),
        pytest.param([ROOT, "31 29 8:2 /sub/dir /tmp rw - ext4 /dev/b rw"], ("8:2", "/sub/dir/tree"), id="on a bind mount"),
        pytest.param([ROOT, "31 29 8:2 / /tmp/tree rw - ext4 /dev/b rw"], ("8:2", ""), id="a mount point itself"),
        pytest.param([ROOT, "31 29 8:2 / /tm rw - ext4 /dev/b rw"], ("8:1", "/tmp/tree"), id="a mount whose name is its beginning only"),
        pytest.param([], None, id="no mount table"),
    ],
)
def test_path_in_the_file_system(monkeypatch: pytest.MonkeyPatch, lines: list[str], place: tuple[str, str] | None) -> None:
    _mount_table(monkeypatch, *lines)
    assert in_use._path_in_file_system("/tmp/tree") == place


def test_mount_point_is_the_innermost(monkeypatch: pytest.MonkeyPatch) -> None:
    _mount_table(monkeypatch, ROOT, "31 29 8:2 / /srv rw - ext4 /dev/b rw", "32 31 8:3 / /srv/aab rw - ext4 /dev/c rw")
    assert in_use.mount_point("/srv/aa") == "/srv"
    assert in_use.mount_point("/opt") == "/"


@pytest.mark.parametrize(
    ("points", "umount"),
    [
        pytest.param(["/srv/aa/proc", "/srv/aa/proc/sys"], "/srv/aa/proc/sys /srv/aa/proc", id="the innermost is unmounted first"),
        pytest.param(["/srv/aa"], "/srv/aa", id="a mount point itself"),
    ],
)
def test_a_directory_with_mounts_is_refused(monkeypatch: pytest.MonkeyPatch, points: list[str], umount: str) -> None:
    _mount_table(monkeypatch, ROOT, *(f"31 29 0:5 / {point} rw - proc proc rw" for point in points))
    with pytest.raises(RunnerError) as error:
        in_use.refuse_mounts("/srv/aa")
    assert "/srv/aa" in error.value.found
    assert str(error.value).endswith(f"umount {umount}")


def test_a_mount_beside_a_directory_is_no_reason_to_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _mount_table(monkeypatch, ROOT, "31 29 0:5 / /srv/aab rw - proc proc rw", "32 29 0:5 / /srv rw - proc proc rw")
    in_use.refuse_mounts("/srv/aa")


def _all_mounts(monkeypatch: pytest.MonkeyPatch, *mounts: in_use.Mount) -> None:
    monkeypatch.setattr(in_use, "_all_mounts", lambda: iter([("7", mount) for mount in mounts]))


@pytest.mark.parametrize(
    ("mount", "busy"),
    [
        pytest.param(("8:1", "/srv/aa", "/mnt", "rw"), True, id="the tree bound elsewhere"),
        pytest.param(("8:1", "/srv/aa/etc", "/mnt", "rw"), True, id="a directory of the tree bound elsewhere"),
        pytest.param(("8:1", "/srv", "/mnt", "rw"), False, id="a directory above the tree"),
        pytest.param(("8:2", "/srv/aa", "/mnt", "rw"), False, id="the same path of another file system"),
        pytest.param(("0:40", "/", "/mnt", "rw,lowerdir=/srv/aa,upperdir=/x"), True, id="a layer of an overlay"),
        pytest.param(("0:40", "/", "/mnt", "rw,lowerdir=/srv/aab,upperdir=/x"), False, id="an overlay on another tree"),
    ],
)
def test_mounts_of_all_namespaces(monkeypatch: pytest.MonkeyPatch, mount: tuple[str, ...], busy: bool) -> None:
    _mount_table(monkeypatch, ROOT)
    _all_mounts(monkeypatch, in_use.Mount(*mount))
    if not busy:
        in_use._check_mounts("/srv/aa")
        return
    with pytest.raises(Busy) as error:
        in_use._check_mounts("/srv/aa")
    assert "/srv/aa" in error.value.found
    assert "/mnt" in error.value.found
    assert "process 7" in error.value.found


def test_overlay_mounts_are_told_apart_by_device_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ("rw,lowerdir=/srv/aa,upperdir=/job-1", "rw,lowerdir=/srv/aa,upperdir=/job-2")
    _all_mounts(
        monkeypatch,
        in_use.Mount("0:41", "/", "/b", second),
        in_use.Mount("0:40", "/", "/a", first),
        in_use.Mount("0:40", "/", "/elsewhere", first),
        in_use.Mount("0:42", "/", "/c", "rw,lowerdir=/srv/other"),
    )
    assert in_use.overlay_mounts("/srv/aa") == [f"0:40 {first}", f"0:41 {second}"]


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A tree on a host without other processes and mounts, whose locks are in `locks`."""
    (tmp_path / "tree").mkdir()
    monkeypatch.setattr(in_use, "LOCKS", str(tmp_path / "locks"))
    monkeypatch.setattr(in_use, "_PATIENCE", 0)
    monkeypatch.setattr(in_use, "processes", lambda: iter(()))
    return str(tmp_path / "tree")


def _locks(tree: str) -> list[str]:
    return os.listdir(os.path.join(os.path.dirname(tree), "locks"))


@contextmanager
def _container(path: str, kind: int) -> Iterator[None]:
    """The lock of a running container."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    assert in_use._try_lock(descriptor, kind)
    yield
    os.close(descriptor)


def test_an_unused_tree_is_locked_and_the_lock_is_removed(tree: str) -> None:
    with in_use.unused(tree):
        assert len(_locks(tree)) == 1
        with pytest.raises(Busy), in_use.unused(tree):
            pass
    assert _locks(tree) == []


@pytest.mark.parametrize("kind", [fcntl.F_WRLCK, fcntl.F_RDLCK])
@pytest.mark.parametrize("lock", ["of the directory", "beside the tree"])
def test_a_container_on_the_tree_makes_it_busy(tree: str, kind: int, lock: str) -> None:
    path = in_use.lock_file(os.lstat(tree)) if lock == "of the directory" else in_use.lock_beside(tree)
    with _container(path, kind):
        with pytest.raises(Busy) as error, in_use.unused(tree):
            pass
        assert tree in error.value.found
    with in_use.unused(tree):
        pass


@pytest.mark.parametrize(("kind", "busy"), [(fcntl.F_WRLCK, True), (fcntl.F_RDLCK, False)])
def test_a_tree_can_be_read_beside_containers_that_only_read(tree: str, kind: int, busy: bool) -> None:
    with _container(in_use.lock_file(os.lstat(tree)), kind):
        if busy:
            with pytest.raises(Busy), in_use.only_read(tree):
                pass
        else:
            with in_use.only_read(tree):
                pass
            # The container's own lock file.
            assert len(_locks(tree)) == 1


def test_an_overlay_of_a_tree_that_was_published_makes_it_busy(monkeypatch: pytest.MonkeyPatch, tree: str) -> None:
    options = "rw,lowerdir=/srv/aa,upperdir=/job"
    _all_mounts(monkeypatch, in_use.Mount("0:40", "/", "/job/merged", options))
    with in_use.unused(tree, [], "/srv/aa"):
        pass
    with pytest.raises(Busy) as error, in_use.unused(tree, [f"0:40 {options}"], "/srv/aa"):
        pass
    assert "/job/merged" in error.value.found


@pytest.mark.parametrize("use", ["cwd", "an open file"])
def test_a_process_in_the_tree_makes_it_busy(tmp_path: Path, use: str) -> None:
    (tmp_path / "file").touch()
    where: dict[str, Any] = {"cwd": tmp_path} if use == "cwd" else {}
    status = tmp_path.stat()
    with (tmp_path / "file").open() as file, subprocess.Popen(["sleep", "600"], stdin=file if not where else subprocess.DEVNULL, **where) as process:
        try:
            with pytest.raises(Busy) as error:
                in_use._check_processes(os.path.realpath(tmp_path), (status.st_dev, status.st_ino))
        finally:
            process.kill()
    assert str(tmp_path) in error.value.found
    assert "process " in error.value.found


def test_a_missing_tree_cannot_be_held(tree: str) -> None:
    with pytest.raises(FileNotFoundError), in_use.unused(f"{tree}-none"):
        pass

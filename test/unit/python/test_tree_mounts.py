# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Mount tables as text, the mount table of this machine, and directories of the test.

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree import mounts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mounts import Mount, Place

ROOT = "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"


def _mount_table(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    monkeypatch.setattr(mounts, "open", lambda *arguments, **options: io.StringIO(text), raising=False)


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
    assert mounts.plain(field) == text


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        pytest.param(ROOT, Mount("29", Place("8:1", "/"), "/", "ext4", "rw"), id="with an optional field"),
        pytest.param("30 29 0:5 / /proc rw - proc proc rw", Mount("30", Place("0:5", "/"), "/proc", "proc", "rw"), id="without optional fields"),
        pytest.param(
            "31 29 8:1 /srv /mnt rw shared:2 master:1 - ext4 /dev/sda1 rw,discard",
            Mount("31", Place("8:1", "/srv"), "/mnt", "ext4", "rw,discard"),
            id="a bind mount",
        ),
        pytest.param(r"32 29 8:1 /a\040- /b\040c rw - ext4 /dev/x rw", Mount("32", Place("8:1", "/a -"), "/b c", "ext4", "rw"), id="blanks in paths"),
        pytest.param(
            r"33 29 0:40 / /m rw - overlay overlay rw,lowerdir=/a\040b:/c",
            Mount("33", Place("0:40", "/"), "/m", "overlay", r"rw,lowerdir=/a\040b:/c"),
            id="escaped options",
        ),
        pytest.param("34 29 0:41 / /m rw - tmpfs  rw", Mount("34", Place("0:41", "/"), "/m", "tmpfs", "rw"), id="an empty source"),
    ],
)
def test_a_line_of_mountinfo(monkeypatch: pytest.MonkeyPatch, line: str, mount: Mount) -> None:
    _mount_table(monkeypatch, line)
    assert list(mounts.mounts("self")) == [mount]


def test_mount_points_of_another_root_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    _mount_table(monkeypatch, ROOT, "31 29 8:2 / /proc rw - proc proc rw")
    assert [mount.point for mount in mounts.mounts("7", "/tmp/job")] == ["/tmp/job", "/tmp/job/proc"]


def test_the_mount_table_of_this_process_can_be_read() -> None:
    assert "/" in [mount.point for mount in mounts.mounts("self")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/srv/aa", True), ("/srv/aa/etc", True), ("/srv/aab", False), ("/srv", False), ("", False)],
)
def test_beneath(path: str, expected: bool) -> None:
    assert mounts.beneath(path, "/srv/aa") is expected


def test_mount_point_is_the_innermost(monkeypatch: pytest.MonkeyPatch) -> None:
    _mount_table(monkeypatch, ROOT, "31 29 8:2 / /srv rw - ext4 /dev/b rw", "32 31 8:3 / /srv/aab rw - ext4 /dev/c rw")
    assert mounts.mount_point("/srv/aa") == "/srv"
    assert mounts.mount_point("/opt") == "/"


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
        mounts.refuse_mounts("/srv/aa")
    assert "/srv/aa" in error.value.found
    assert str(error.value).endswith(f"umount {umount}")


def test_a_tree_that_is_a_mount_point_itself_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    table = ["31 29 0:5 / /srv/aa rw - tmpfs none rw"]
    _mount_table(monkeypatch, ROOT, *table)
    mounts.refuse_mounts("/srv/aa", itself=False)
    _mount_table(monkeypatch, ROOT, *table, "32 31 0:6 / /srv/aa/proc rw - proc proc rw")
    with pytest.raises(RunnerError, match=r"umount /srv/aa/proc\Z"):
        mounts.refuse_mounts("/srv/aa", itself=False)


def test_a_mount_beside_a_directory_is_no_reason_to_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _mount_table(monkeypatch, ROOT, "31 29 0:5 / /srv/aab rw - proc proc rw", "32 29 0:5 / /srv rw - proc proc rw")
    mounts.refuse_mounts("/srv/aa")


def test_places_are_the_same_by_each_path(tmp_path: Path) -> None:
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "tree/file").touch()
    (tmp_path / "link").symlink_to("tree")
    tree = mounts.place_of(str(tmp_path / "tree"))
    assert mounts.place_of(str(tmp_path / "link/../tree")) == tree
    assert tree.holds(tree)
    assert tree.holds(mounts.place_of(str(tmp_path / "link/etc")))
    assert tree.holds(mounts.place_of(str(tmp_path / "tree/file")))
    assert not tree.holds(mounts.place_of(str(tmp_path)))
    assert not tree.holds(mounts.place_of(str(tmp_path / "link")))


@pytest.mark.parametrize(
    ("place", "held"),
    [
        pytest.param(("8:1", "/srv/aa"), True, id="itself"),
        pytest.param(("8:1", "/srv/aa/etc"), True, id="a directory in it"),
        pytest.param(("8:2", "/srv/aa"), False, id="the same path of another file system"),
        pytest.param(("8:1", "/srv/aab"), False, id="another directory whose name begins with its name"),
    ],
)
def test_a_place_holds_what_lies_beneath(place: tuple[str, str], held: bool) -> None:
    assert Place("8:1", "/srv/aa").holds(Place(*place)) is held


def test_the_place_of_a_mount_that_is_not_in_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mounts, "mounts", lambda pid: iter(()))
    with pytest.raises(RunnerError) as error:
        mounts.place_of(str(tmp_path))
    assert str(tmp_path) in error.value.found


@pytest.fixture
def table() -> dict[str, Mount]:
    return {mount.id: mount for mount in mounts.mounts("self")}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("tree/etc", "tree/etc"),
        ("tree//./etc/", "tree/etc"),
        ("tree/etc/../../other", "other"),
        ("link/etc", "tree/etc"),
        ("absolute/etc", "tree/etc"),
        ("chain", "tree/etc"),
        ("none", None),
        ("loop", None),
    ],
)
def test_a_path_is_looked_up_as_a_process_does(tmp_path: Path, table: dict[str, Mount], path: str, found: str | None) -> None:
    for name in ("tree/etc", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name, target in {"link": "tree", "absolute": tmp_path / "tree", "chain": "other/../link/etc", "loop": "loop"}.items():
        (tmp_path / name).symlink_to(target)
    place = mounts.place_of(str(tmp_path / found)) if found else None
    descriptors = os.listdir("/proc/self/fd")
    assert mounts.find("self", f"{tmp_path}/{path}", table, "") == place
    assert os.listdir("/proc/self/fd") == descriptors


def test_a_path_never_leads_above_the_root_directory(table: dict[str, Mount]) -> None:
    assert mounts.find("self", "/../..", table, "") == mounts.place_of("/")


@pytest.mark.parametrize(("kind", "device", "found"), [("fuse.sshfs", "", False), ("fuse.sshfs", "of the tree", True), ("ext4", "", True)])
def test_a_file_system_whose_server_may_be_silent_is_not_entered(tmp_path: Path, table: dict[str, Mount], kind: str, device: str, found: bool) -> None:
    place = mounts.place_of(str(tmp_path))
    changed = {id: mount._replace(kind=kind) if mount.root.device == place.device else mount for id, mount in table.items()}
    assert (mounts.find("self", str(tmp_path), changed, device and place.device) == place) is found


def test_a_mount_of_another_user_is_not_entered(tmp_path: Path) -> None:
    assert mounts.find("self", str(tmp_path), {}, "") is None


def test_a_process_that_has_ended_finds_nothing(table: dict[str, Mount]) -> None:
    assert mounts.find("0", "/", table, "") is None
    assert mounts.link_text("/proc/0/root") == ""


def test_namespaces_of_this_process() -> None:
    assert {mounts.made_by("self", kind) for kind in ("mnt", "user")} == {mounts.HOST}
    [own] = [namespace for namespace in mounts.namespaces() if str(os.getpid()) in namespace.processes]
    assert (own.of_host, own.pid, own.root) == (True, str(os.getpid()), "/")
    assert own.mounts == list(mounts.mounts("self"))

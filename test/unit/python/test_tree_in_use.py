# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Mounts and namespaces of the test, locks in a directory of the test, processes of the test.

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

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use, mounts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mounts import Mount, Namespace, Place

TREE = Place("8:1", "/srv/aa")


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        pytest.param("rw,relatime", [], id="no overlay"),
        pytest.param("rw,lowerdir=/a,upperdir=/b,workdir=/c", ["/a", "/b", "/c"], id="one of each"),
        pytest.param("rw,lowerdir=/a:/b:/c", ["/a", "/b", "/c"], id="several lower layers"),
        pytest.param("rw,lowerdir+=/a,lowerdir+=/b", ["/a", "/b"], id="the form of newer kernels"),
        pytest.param("rw,lowerdir=/a::/data", ["/a", "/data"], id="layers for data only"),
        pytest.param("rw,datadir+=/d", ["/d"], id="a data layer of newer kernels"),
        pytest.param(r"rw,lowerdir=/a\:b:/c", ["/a:b", "/c"], id="an escaped colon"),
        pytest.param(r"rw,lowerdir=/a\134\054b:/e\054f,upperdir=/c\040d", ["/a,b", "/e,f", "/c d"], id="commas and a blank"),
        pytest.param("rw,lowerdir=l/A:/b", ["/b"], id="a relative path"),
        pytest.param("rw,xino=lowerdir", [], id="an option whose value is that word"),
    ],
)
def test_layers_of_an_overlay(options: str, layers: list[str]) -> None:
    assert list(in_use._layers(options)) == layers


def test_names_of_systemd_nspawns_locks(tmp_path: Path) -> None:
    status = tmp_path.stat()
    assert in_use.lock_file(status) == f"/run/systemd/nspawn/locks/inode-{status.st_dev}:{status.st_ino}"
    assert in_use.lock_beside("/var/lib/nspawn-runner/sid") == "/var/lib/nspawn-runner/.#sid.lck"


def _namespace(*found: Mount, of_host: bool = True, root: str = "/", processes: dict[str, str] | None = None) -> Namespace:
    return Namespace(of_host, "7", root, [*found], processes or {"7": root})


def _table(namespace: Namespace) -> dict[str, Mount]:
    return {mount.id: mount for mount in namespace.mounts}


def _overlay(lower: str, number: int = 40, point: str = "/mnt") -> Mount:
    return Mount(f"{number}", Place(f"0:{number}", "/"), point, "overlay", f"rw,lowerdir={lower},upperdir=/x")


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Place]:
    """Places of paths, by process; "*" is each process. Process 7 has the parents 5, 3 and 1."""
    places: dict[tuple[str, str], Place] = {}
    monkeypatch.setattr(mounts, "find", lambda pid, path, *rest: places.get((pid, path)) or places.get(("*", path)))
    monkeypatch.setattr(in_use, "stat_fields", lambda pid: [b"S", {"7": b"5", "5": b"3", "3": b"1"}.get(pid, b"0")])
    return places


@pytest.mark.parametrize(
    ("mount", "busy"),
    [
        pytest.param(("8:1", "/srv/aa", "rw"), True, id="the tree bound elsewhere"),
        pytest.param(("8:1", "/srv/aa/etc", "rw"), True, id="a directory of the tree bound elsewhere"),
        pytest.param(("8:1", "/srv", "rw"), False, id="a directory above the tree"),
        pytest.param(("8:2", "/srv/aa", "rw"), False, id="the same path of another file system"),
        pytest.param(("0:40", "/", "rw,lowerdir=/srv/aa,upperdir=/x"), True, id="a layer of an overlay"),
        pytest.param(("0:40", "/", "rw,lowerdir=/link,upperdir=/x"), True, id="a layer by another path"),
        pytest.param(("0:40", "/", "rw,lowerdir=/srv/aa/etc:/other,upperdir=/x"), True, id="a directory of the tree as a layer"),
        pytest.param(("0:40", "/", "rw,lowerdir=/other,upperdir=/x"), False, id="an overlay on another tree"),
    ],
)
def test_mounts_of_all_namespaces(finds: dict[tuple[str, str], Place], mount: tuple[str, str, str], busy: bool) -> None:
    paths = {"/srv/aa": TREE, "/link": TREE, "/srv/aa/etc": Place("8:1", "/srv/aa/etc"), "/other": Place("8:1", "/other")}
    finds.update({("*", path): place for path, place in paths.items()})
    device, source, options = mount
    namespace = _namespace(Mount("40", Place(device, source), "/mnt\x1b", "overlay" if device == "0:40" else "ext4", options))
    if not busy:
        in_use._check_mounts("/srv/aa", TREE, [namespace], _table(namespace))
        return
    with pytest.raises(Busy) as error:
        in_use._check_mounts("/srv/aa", TREE, [namespace], _table(namespace))
    assert error.value.found == "/srv/aa is in use by the mount /mnt\\x1b that process 7 sees"


def test_only_an_overlay_has_layers(finds: dict[tuple[str, str], Place]) -> None:
    finds["*", "/srv/aa"] = TREE
    mount = _overlay("/srv/aa")
    assert in_use._is_layer(TREE, mount, _namespace(), {})
    assert not in_use._is_layer(TREE, mount._replace(kind="fuse.overlay"), _namespace(), {})


@pytest.mark.parametrize(
    ("point", "root", "places", "used"),
    [
        pytest.param("/mnt", "/", {"7": TREE}, True, id="in the root directory of the process"),
        pytest.param("/mnt", "/", {"7": Place("0:9", "/"), "5": TREE}, False, id="another directory there"),
        pytest.param("/mnt", "/", {"3": TREE}, True, id="in the one of a process above, if there is none there"),
        pytest.param("/", "/", {"7": Place("0:9", "/"), "5": TREE}, True, id="never in the root directory that the overlay is"),
        pytest.param("/job", "/job", {"7": Place("0:9", "/"), "5": TREE}, True, id="never there, also after a chroot"),
        pytest.param("/", "/", {"5": Place("0:9", "/"), "3": TREE}, False, id="a container in a container"),
        pytest.param("/mnt", "/", {}, False, id="nowhere"),
    ],
)
def test_a_layer_is_looked_up_where_it_was_meant(finds: dict[tuple[str, str], Place], point: str, root: str, places: dict[str, Place], used: bool) -> None:
    finds.update({(pid, "/srv/aa"): place for pid, place in places.items()})
    assert in_use._is_layer(TREE, _overlay("/srv/aa", point=point), _namespace(root=root), {}) is used


@pytest.mark.parametrize(
    ("told", "root", "used"),
    [
        pytest.param(["3"], ["3"], True, id="its program of root has the path as an argument"),
        pytest.param([], ["3"], False, id="the path is the container's own idea"),
        pytest.param(["3"], [], False, id="the program is not root's"),
        pytest.param(["5"], ["5", "3"], False, id="the program is in a container itself"),
    ],
)
def test_a_container_with_a_user_namespace_can_name_any_path(
    monkeypatch: pytest.MonkeyPatch, finds: dict[tuple[str, str], Place], told: list[str], root: list[str], used: bool
) -> None:
    finds["*", "/srv/aa"] = TREE
    monkeypatch.setattr(mounts, "made_by", lambda pid, kind: mounts.HOST if pid in ("3", "1") else mounts.CONTAINER)
    monkeypatch.setattr(in_use, "_is_root", lambda pid: pid in root)
    monkeypatch.setattr(in_use, "_names", lambda pid, path: pid in told)
    assert in_use._is_layer(TREE, _overlay("/srv/aa"), _namespace(of_host=False), {}) is used


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--overlay=/srv/aa:/x:/", True),
        ("/x:/srv/aa:/y:/", True),
        ("/srv/aa", False),
        ("--overlay=/srv/aab:/x:/", False),
        ("--overlay=/srv/aa/etc:/x:/", False),
    ],
)
def test_an_argument_names_a_path(argument: str, named: bool) -> None:
    with subprocess.Popen(["sh", "-c", "echo; read -r line", argument], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert in_use._names(str(process.pid), "/srv/aa") is named


def test_overlay_mounts_are_told_apart_by_device_and_options(monkeypatch: pytest.MonkeyPatch, finds: dict[tuple[str, str], Place]) -> None:
    finds["*", "/srv/aa"] = TREE
    first, second = _overlay("/srv/aa", 40), _overlay("/srv/aa", 41)
    monkeypatch.setattr(mounts, "place_of", lambda path: TREE)
    found = [_namespace(second, first), _namespace(first._replace(point="/elsewhere"), _overlay("/srv/other", 42))]
    monkeypatch.setattr(mounts, "namespaces", lambda: found)
    assert in_use.overlay_mounts("/srv/aa") == [f"0:40 {first.options}", f"0:41 {second.options}"]


@pytest.mark.parametrize(
    ("roots", "paths"),
    [
        pytest.param({"/": "/"}, {"/srv/aa"}, id="by the root file system"),
        pytest.param({"/": "/", "/mnt": "/srv"}, {"/srv/aa", "/mnt/aa"}, id="by a bind mount too"),
        pytest.param({"/data": "/"}, {"/data/srv/aa"}, id="by another mount of the file system"),
        pytest.param({"/mnt": "/srv/aa"}, set(), id="as a mount itself"),
        pytest.param({"/mnt": "/other"}, set(), id="not"),
    ],
)
def test_paths_by_which_a_tree_can_be_seen(roots: dict[str, str], paths: set[str]) -> None:
    table = [Mount(point, Place("8:1", source), point, "ext4", "rw") for point, source in roots.items()]
    assert in_use._paths(TREE, [*table, Mount("9", Place("8:2", "/"), "/other", "ext4", "rw")]) == paths


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A tree on a host without other processes and mounts, whose locks are in `locks`."""
    (tmp_path / "tree").mkdir()
    monkeypatch.setattr(in_use, "LOCKS", str(tmp_path / "locks"))
    monkeypatch.setattr(in_use, "_PATIENCE", 0)
    monkeypatch.setattr(mounts, "namespaces", list)
    return str(tmp_path / "tree")


def _locks(tree: str) -> list[str]:
    return os.listdir(os.path.join(os.path.dirname(tree), "locks"))


@contextmanager
def _container(path: str, kind: int) -> Iterator[None]:
    """The lock of a running container."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    assert in_use.try_lock(descriptor, kind)
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
    overlay = _overlay("/srv/aa", point="/job/merged")
    monkeypatch.setattr(mounts, "namespaces", lambda: [_namespace(overlay, processes={"0": "/"})])
    with in_use.unused(tree, [], "/srv/aa"):
        pass
    with pytest.raises(Busy) as error, in_use.unused(tree, [f"0:40 {overlay.options}"], "/srv/aa"):
        pass
    assert "/job/merged" in error.value.found


def _check(path: Path) -> None:
    own = {mount.id: mount for mount in mounts.mounts("self")}
    in_use._check_processes(str(path), mounts.place_of(str(path)), mounts.namespaces(), own)


@contextmanager
def _process(**where: Any) -> Iterator[None]:
    with subprocess.Popen(["sleep", "600"], **where) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("user", ["root", "another"])
@pytest.mark.parametrize("use", ["cwd", "an open file"])
def test_a_process_of_root_in_the_tree_makes_it_busy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, use: str, user: str) -> None:
    monkeypatch.setattr(in_use, "_ROOT", os.getuid() + (user == "another"))
    (tmp_path / "file").touch()
    (tmp_path / "beside").mkdir()
    with (tmp_path / "file").open() as file, _process(**({"cwd": tmp_path} if use == "cwd" else {"stdin": file})):
        _check(tmp_path / "beside")
        if user == "another":
            _check(tmp_path)
            return
        with pytest.raises(Busy) as error:
            _check(tmp_path)
    assert str(tmp_path) in error.value.found
    assert "process " in error.value.found


@pytest.mark.parametrize(("ids", "root"), [("0 0 0 0", True), ("1000 0 0 0", False), ("0 1000 1000 1000", False), ("1000 1000 1000 1000", False)])
def test_a_process_of_root_has_no_other_user_id(monkeypatch: pytest.MonkeyPatch, ids: str, root: bool) -> None:
    text = "Name:\tUid: 0\nPPid:\t1\nUid:\t{}\nGid:\t0\n".format(ids.replace(" ", "\t"))
    monkeypatch.setattr(in_use, "open", lambda *arguments, **options: io.StringIO(text), raising=False)
    assert in_use._is_root("7") is root


def test_a_process_in_a_directory_with_a_path_that_is_too_long_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(in_use, "_ROOT", os.getuid())
    script = "mkdir tree && i=0; while [ $i -lt 25 ]; do mkdir $0 && cd -P $0 || exit; i=$((i+1)); done; echo; exec sleep 600"
    with subprocess.Popen(["sh", "-c", script, "d" * 200], cwd=tmp_path, stdout=subprocess.PIPE, env={**os.environ, "PWD": ""}) as process:
        assert process.stdout
        assert process.stdout.readline() == b"\n"
        with pytest.raises(OSError, match="File name too long"):
            os.readlink(f"/proc/{process.pid}/cwd")
        _check(tmp_path / "tree")
        process.kill()
    # Python's own removal stops at such a path.
    subprocess.run(["rm", "-r", tmp_path], check=True)


def test_a_missing_tree_cannot_be_held(tree: str) -> None:
    with pytest.raises(FileNotFoundError), in_use.unused(f"{tree}-none"):
        pass


def test_users_are_containers_by_their_machine_and_others_by_their_process(monkeypatch: pytest.MonkeyPatch) -> None:
    namespaces = [_namespace(processes={"7": "/"}), *(Namespace(False, pid, "/", [], {pid: "/"}) for pid in ("20", "30", "31", "40"))]

    def busy(tree: str, place: Place, given: list[Namespace], table: Any) -> None:
        if given[0].pid in ("7", "20", "30", "31"):
            raise in_use._busy(tree, f"process {given[0].pid} (sh)")

    monkeypatch.setattr(mounts, "as_kernel", lambda tree: tree)
    monkeypatch.setattr(mounts, "place_of", lambda tree: TREE)
    monkeypatch.setattr(mounts, "namespaces", lambda: namespaces)
    monkeypatch.setattr(in_use, "_check_processes", busy)
    monkeypatch.setattr(in_use, "_check_mounts", lambda *arguments: None)
    monkeypatch.setattr(in_use, "_machine", lambda namespace: {"30": "container job1", "31": "container job1"}.get(namespace.pid, ""))
    assert in_use.users(["/srv/aa", "/srv/generations/x"]) == ["process 7 (sh)", "process 20 (sh)", "container job1"]


@pytest.mark.parametrize(
    ("arguments", "root", "maker", "name"),
    [
        pytest.param("systemd-nspawn\0-D\0/srv/aa\0--machine=job\x1b1\0make\0", True, "host", r"container job\x1b1", id="a container"),
        pytest.param("/usr/bin/systemd-nspawn\0-D\0/srv/aa\0", True, "host", "container (process 5)", id="a container without a name"),
        pytest.param("systemd-nspawn\0--machine=x\0", False, "host", "", id="a program of another user"),
        pytest.param("systemd-nspawn\0--machine=x\0", True, "container", "", id="a program in a container"),
        pytest.param("bash\0--machine=x\0", True, "host", "", id="another program"),
    ],
)
def test_the_machine_is_named_by_its_systemd_nspawn(monkeypatch: pytest.MonkeyPatch, arguments: str, root: bool, maker: str, name: str) -> None:
    monkeypatch.setattr(in_use, "stat_fields", lambda pid: [b"S", {"7": b"5"}.get(pid, b"0")])
    monkeypatch.setattr(in_use, "_is_root", lambda pid: root)
    monkeypatch.setattr(mounts, "made_by", lambda pid, kind: maker)
    monkeypatch.setattr(in_use, "open", lambda path, **more: io.StringIO(arguments), raising=False)
    assert in_use._machine(_namespace()) == name

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._create import chroot
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place

PATH = "/srv/images/aa"
SUITE = {"bootstrap": "mmdebstrap", "suite": "sid"}


@pytest.mark.parametrize(
    ("planned", "source"),
    [
        (SUITE, "by mmdebstrap"),
        ({"bootstrap": "command", "command": ["dnf", "--installroot={tree}"]}, "by dnf"),
        ({"bootstrap": "tarball", "tarball": "/srv/aa.tar"}, "from /srv/aa.tar"),
    ],
)
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("check", [False, True])
def test_a_creation_says_how_the_tree_is_made(planned: dict[str, Any], source: str, exists: bool, check: bool) -> None:
    msg = chroot.describe(PATH, planned, exists, check)["msg"]
    assert msg.startswith(f"{PATH} {'would be' if check else 'was'} made")
    assert msg.endswith(source)


def test_a_creation_shows_its_plan_as_a_difference() -> None:
    diff = chroot.describe(PATH, SUITE, False, False)["diff"]
    assert diff["before"] == {"state": "absent"}
    assert diff["after"] == {"state": "present", **SUITE}
    assert diff["before_header"] == diff["after_header"] == PATH


def test_a_tree_that_is_made_again_differs_in_its_state() -> None:
    diff = chroot.describe(PATH, SUITE, True, True)["diff"]
    assert diff["before"] == {"state": "present"}
    assert diff["after"]["state"] != "present"


def _origin(params: dict[str, Any], planned: dict[str, Any] = SUITE, version: str = "1.0.0") -> dict[str, Any]:
    return json.loads(json.dumps(chroot.origin({"name": "aa", "recreate": False, "suite": "sid", **params}, planned, version)))


@pytest.mark.parametrize(
    ("params", "planned", "differs"),
    [
        pytest.param({}, SUITE, [], id="nothing"),
        pytest.param({"recreate": True, "name": "bb", "mirror": None}, SUITE, [], id="options that leave the content as it is"),
        pytest.param({"suite": "trixie"}, SUITE, ["nspawn_runner_chroot_suite"], id="the suite"),
        pytest.param({"packages": ["git"]}, SUITE, ["nspawn_runner_packages"], id="packages"),
        pytest.param({"mirror": "http://me:key@mirror.example.org"}, SUITE, ["nspawn_runner_mirror", "the logins of the mirrors"], id="a mirror with a login"),
        pytest.param({}, {**SUITE, "bootstrap": "debootstrap"}, ["the method"], id="another tool"),
    ],
)
def test_the_origin_of_a_tree(monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], planned: dict[str, Any], differs: list[str]) -> None:
    monkeypatch.setattr(chroot, "find_program", lambda name: None)
    one, other = _origin({}), _origin(params, planned)
    assert sorted(name for name in {*one, *other} if one.get(name) != other.get(name)) == differs
    assert "key" not in json.dumps(other)


def test_a_file_that_changes_is_another_origin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool, script, keyring = (tmp_path / name for name in ("tool", "script", "keyring"))
    for path in (tool, script, keyring):
        path.write_text("1")
    monkeypatch.setattr(chroot, "find_program", lambda name: str(tool) if name in ("mmdebstrap", "sh") else None)
    command = {"bootstrap": "command", "command": ["sh", str(script), "{tree}", "-x"]}
    seen = [_origin({"keyring": str(keyring)}), _origin({}, command)]
    assert [sorted(set(origin) & {str(tool), str(script), str(keyring)}) for origin in seen] == [
        sorted([str(tool), str(keyring)]),
        sorted([str(tool), str(script)]),
    ]
    for path in (tool, script, keyring):
        os.utime(path, (5, 5))
    assert [_origin({"keyring": str(keyring)}) != seen[0], _origin({}, command) != seen[1]] == [True, True]
    assert _origin({}, version="1.0.1") != _origin({})


def test_without_systemd_nspawn_there_is_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroot, "find_program", lambda name: None)
    monkeypatch.setattr(chroot.bootstrap, "plan", lambda params: SUITE)
    with pytest.raises(RunnerError) as error:
        chroot.checked_plan({})
    assert "systemd-nspawn" in error.value.found
    assert str(error.value).endswith("apt install systemd-container")


@pytest.mark.parametrize(("planned", "checked"), [(SUITE, False), ({"bootstrap": "tarball", "tarball": "/a"}, True)])
def test_an_archive_is_checked_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch, planned: dict[str, Any], checked: bool) -> None:
    archives: list[Any] = []
    monkeypatch.setattr(chroot, "find_program", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(chroot.bootstrap, "plan", lambda params: planned)
    monkeypatch.setattr(chroot.bootstrap, "check_archive", archives.append)
    assert chroot.checked_plan({"tarball": "/a"}) == planned
    assert archives == ([{"tarball": "/a"}] if checked else [])


@pytest.mark.parametrize(
    ("params", "uid", "word"),
    [
        pytest.param({"name": "a/b"}, 0, "'a/b'", id="a name that is a path"),
        pytest.param({"name": "../used"}, 0, "'../used'", id="a path out of the root directory"),
        pytest.param({"name": ""}, 0, "''", id="no name"),
        pytest.param({"name": ".."}, 0, "'..'", id="the directory above"),
        pytest.param({"name": "aa"}, 1000, "root", id="another user than root"),
        pytest.param({"name": "aa", "root": "images"}, 0, "'images'", id="a relative root directory"),
    ],
)
def test_a_tree_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], uid: int, word: str) -> None:
    replace_os(monkeypatch, chroot, geteuid=lambda: uid)
    with pytest.raises(RunnerError) as error:
        chroot._place(params)
    assert word in str(error.value)


@pytest.mark.parametrize(
    ("root", "place"),
    [(None, Place("/var/lib/nspawn-runner", "aa")), ("/nonexistent/images/", Place("/nonexistent/images", "aa"))],
)
def test_place_of_a_tree(monkeypatch: pytest.MonkeyPatch, root: str | None, place: Place) -> None:
    replace_os(monkeypatch, chroot, geteuid=lambda: 0)
    monkeypatch.setattr(chroot, "check_root", lambda root: None)
    assert chroot._place({"name": "aa", "root": root}) == place


@pytest.mark.parametrize("kind", ["missing", "a directory"])
def test_a_tree_is_a_directory_or_missing(tmp_path: Path, kind: str) -> None:
    if kind == "a directory":
        (tmp_path / "aa").mkdir()
    assert chroot._exists(str(tmp_path / "aa")) == (kind == "a directory")


@pytest.mark.parametrize("kind", ["a link", "a dangling link", "a file", "a FIFO"])
def test_a_path_that_holds_no_tree_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "aa"
    if kind == "a file":
        path.touch()
    elif kind == "a FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/tmp" if kind == "a link" else "nowhere")
    with pytest.raises(RunnerError) as error:
        chroot._exists(str(path))
    assert str(path) in error.value.found
    assert ("symbolic link" in error.value.found) == kind.endswith("link")
    assert "remove" in str(error.value)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    place = Place(str(tmp_path), "aa")
    monkeypatch.setattr(chroot, "_place", lambda params: place)
    return place


def test_a_tree_that_exists_is_left_alone(place: Place) -> None:
    os.mkdir(place.path)
    result = chroot.present({"name": "aa"}, print, False)
    assert (result["changed"], result["path"]) == (False, place.path)
    assert os.listdir(place.root) == ["aa"]


def test_check_mode_makes_no_tree(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(chroot, "checked_plan", lambda params: SUITE)
    result = chroot.present({"name": "aa"}, print, True)
    assert (result["changed"], result["bootstrap"]) == (True, "mmdebstrap")
    assert os.listdir(place.root) == []


def test_a_tree_that_is_absent_stays_absent(place: Place) -> None:
    result = chroot.absent({"name": "aa"}, print, False)
    assert result["changed"] is False
    assert os.listdir(place.root) == []


def test_all_trees_of_an_image_are_removed_with_it(place: Place) -> None:
    for path in (place.path, os.path.join(place.generations, "20261123T231500Z"), os.path.join(place.generations, "20261122T231500Z"), place.failed):
        os.makedirs(path)
    assert [os.path.relpath(tree, place.root) for tree in chroot._trees(place)] == [
        "aa",
        ".nspawn-runner/aa/generations/20261123T231500Z",
        ".nspawn-runner/aa/generations/20261122T231500Z",
        ".nspawn-runner/aa/failed",
    ]


def test_the_private_directory_goes_with_the_image(place: Place) -> None:
    os.makedirs(place.state)
    for name in ("lock", "last.log", "last.log.1", "container", "state.json", "unknown"):
        Path(place.state, name).touch()
    chroot._remove_state(place.state)
    assert not os.path.exists(place.state)


def test_a_lock_that_another_run_made_meanwhile_stays(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    os.makedirs(place.state)
    replace_os(monkeypatch, chroot, unlink=lambda path: Path(path).write_text("theirs"))
    chroot._remove_state(place.state)
    assert os.listdir(place.state) == ["lock"]


@pytest.mark.parametrize(
    ("content", "left"),
    [
        pytest.param({"published": {"id": "20261123T231500Z"}}, [], id="the record of the tree"),
        pytest.param({"published": {"id": "20261123T231500Z"}, "hold": {"since": "x", "generation": "y"}}, [], id="the record of a tree that is held"),
        pytest.param({"hold": {"since": "x", "generation": "y"}}, [], id="a hold alone"),
        pytest.param({"last_run": {"result": "published"}}, ["last_run"], id="the last run stays"),
    ],
)
def test_a_new_tree_forgets_the_record_of_the_old_one(place: Place, content: dict[str, Any], left: list[str]) -> None:
    os.makedirs(place.state)
    base = {"format": 1, "image": "aa", "generations": []}
    chroot.record.save(place, {**base, **content})
    chroot._forget_published(place)
    assert chroot.record.load(place) == {**base, **{name: content[name] for name in left}}


class _Kill(BaseException):
    """Ends a removal before one of its steps."""


def _kill_removal(monkeypatch: pytest.MonkeyPatch, step: int) -> bool:
    """Removes the image `aa`, with an end before this step. Returns whether the removal had so many steps."""
    left = [step]

    def counted(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] == -1:
                raise _Kill
            return function(*arguments)

        return call

    with monkeypatch.context() as patched:
        functions = {name: counted(getattr(chroot.files, name)) for name in ("rename", "remove_file")}
        patched.setattr(chroot, "files", SimpleNamespace(**{**vars(chroot.files), **functions}))
        patched.setattr(chroot, "remove_entry", counted(chroot.remove_entry))
        replace_os(patched, chroot, **{name: counted(getattr(os, name)) for name in ("mkdir", "unlink", "rmdir")})
        try:
            chroot.absent({"name": "aa"}, print, False)
        except _Kill:
            return True
    return False


def test_the_next_removal_completes_one_that_was_killed(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    trees = (place.path, os.path.join(place.generations, "20261123T231500Z"), place.failed)
    monkeypatch.setattr(chroot, "make_state", lambda root, image: place.state)
    monkeypatch.setattr(chroot.in_use, "unused", lambda *arguments: nullcontext())
    for step in count():
        for path in trees:
            os.makedirs(os.path.join(path, "etc"))
        chroot.record.save(place, {"format": 1, "image": "aa", "generations": [{"id": "20261123T231500Z"}]})
        killed = _kill_removal(monkeypatch, step)
        assert chroot.absent({"name": "aa"}, print, False)["changed"] is killed
        assert not any(map(os.path.exists, (*trees, place.state)))
        if not killed:
            break
    # A step for each of the three trees, at least.
    assert step > 6

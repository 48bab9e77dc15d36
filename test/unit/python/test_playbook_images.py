# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ansible", reason="the playbook reader uses Ansible's YAML loader")

from ansible.parsing.dataloader import DataLoader

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import images

PLAY = "- hosts: all\n  vars: {nspawn_runner_chroot_suite: sid}\n"


def _everything(name: str) -> bool:
    return True


@pytest.mark.parametrize("name", ["sid", "debian-12.5", "_x", "new", "a.news", "nspawn_runner_x"])
def test_a_name_that_an_image_can_have(name: str) -> None:
    assert images.image_name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("all", "ungrouped", "localhost", "127.0.0.1", "nspawn_runner"),
        *("nspawn_runner_declared", "nspawn_runner_present", "nspawn_runner_missing", "nspawn_runner_unmanaged"),
        *("sid.new", "sid.old", "a/b", "", "-x", "a b", "..", "x" * 65),
    ],
)
def test_a_name_that_no_image_can_have(name: str) -> None:
    assert images.image_name_problem(name)


@pytest.mark.parametrize(
    ("configured", "beside", "directories"),
    [
        pytest.param(None, "/inventory", ["/inventory", "/srv/images"], id="beside the inventory, and the root"),
        pytest.param(None, None, ["/srv/images"], id="no inventory file"),
        pytest.param(None, "/etc/nspawn-runner", ["/etc/nspawn-runner", "/srv/images"], id="an inventory in /etc/nspawn-runner"),
        pytest.param(None, "/srv/images", ["/srv/images"], id="each directory once"),
        pytest.param(["/usr", "etc"], "/inventory", ["/usr", "/etc"], id="only those that are configured"),
        pytest.param([], "/inventory", [], id="none"),
        pytest.param(["etc", "/etc"], None, ["/etc"], id="one directory by two names"),
    ],
)
def test_where_playbooks_are(configured: list[str] | None, beside: str | None, directories: list[str]) -> None:
    assert images.playbook_directories(configured, beside, "/srv/images", _resolve) == directories


def _resolve(name: str) -> str:
    return name if name.startswith("/") else f"/{name}"


@pytest.mark.parametrize(("name", "reason"), [("none", "does not exist"), ("file", "is not a directory"), ("link", "is not a directory")])
def test_a_configured_directory_that_is_none_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("none")
    with pytest.raises(RunnerError) as error:
        images.playbook_directories(["/usr", str(tmp_path / name)], None, "/srv/images", _resolve)
    assert error.value.found == f"the option playbook_dirs names {tmp_path / name}, which {reason}"


@pytest.fixture
def warnings() -> list[str]:
    return []


def _trees(tmp_path: Path, warnings: list[str], wanted: Callable[[str], bool] = _everything) -> tuple[set[str], dict[str, str]]:
    return images.find_trees(str(tmp_path), wanted, warnings.append)


def test_trees_are_the_directories_of_the_root(tmp_path: Path, warnings: list[str]) -> None:
    for name in ("aa", "bb", ".nspawn-runner", "lost+found", "all", "cc.new"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "aa.yml").touch()
    (tmp_path / "link").symlink_to("aa")
    assert _trees(tmp_path, warnings) == ({"aa", "bb"}, {"file": "a file", "aa.yml": "a file", "link": "a symbolic link"})
    assert len(warnings) == 2
    assert "all" in warnings[0]
    assert "cc.new" in warnings[1]


def test_unwanted_trees_give_no_warning(tmp_path: Path, warnings: list[str]) -> None:
    for name in ("aa", "scratch-1", "b b"):
        (tmp_path / name).mkdir()
    (tmp_path / "scratch-link").symlink_to("aa")
    assert _trees(tmp_path, warnings, lambda name: name == "aa") == ({"aa"}, {})
    assert warnings == []


def test_a_root_that_does_not_exist_has_no_trees(tmp_path: Path, warnings: list[str]) -> None:
    assert _trees(tmp_path / "none", warnings) == (set(), {})


def test_a_root_that_is_no_directory_is_an_error(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        _trees(tmp_path / "file", warnings)


def test_a_tree_with_a_strange_name_is_shown_escaped(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "a\n\x1b[31m").mkdir()
    assert _trees(tmp_path, warnings) == (set(), {})
    assert len(warnings) == 1
    assert "\n" not in warnings[0]
    assert "\x1b" not in warnings[0]


def _playbooks(directories: list[Path], warnings: list[str], trees: set[str] | None = None, wanted: Callable[[str], bool] = _everything) -> dict[str, str]:
    found = images.find_playbooks(
        map(str, directories), DataLoader(), trees or set(), wanted, warnings.append, lambda text: warnings.append(f"refused: {text}")
    )
    return {name: playbook.path for name, playbook in found.items()}


def test_playbooks_are_named_like_their_image(tmp_path: Path, warnings: list[str]) -> None:
    for name in ("sid.yml", "trixie.yaml", "debian-12.5.yml", "nspawn_runner.yml", "my.nspawn_runner.yaml", ".hidden.yml", "notes.txt", "noext"):
        (tmp_path / name).write_text(PLAY)
    (tmp_path / "site.yml").write_text("- hosts: all\n")
    found = _playbooks([tmp_path], warnings)
    assert found == {"sid": f"{tmp_path}/sid.yml", "trixie": f"{tmp_path}/trixie.yaml", "debian-12.5": f"{tmp_path}/debian-12.5.yml"}
    assert warnings == []


def test_the_first_directory_wins(tmp_path: Path, warnings: list[str]) -> None:
    for name in ("first/sid.yml", "second/sid.yml", "second/trixie.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(PLAY)
    found = _playbooks([tmp_path / "first", tmp_path / "none", tmp_path / "second"], warnings)
    assert found == {"sid": f"{tmp_path}/first/sid.yml", "trixie": f"{tmp_path}/second/trixie.yml"}
    assert warnings == [f"Image sid has two playbooks: {tmp_path}/first/sid.yml counts, {tmp_path}/second/sid.yml is ignored"]


def test_one_file_in_two_directories_gives_no_warning(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first/sid.yml").write_text(PLAY)
    (tmp_path / "second").symlink_to("first")
    assert _playbooks([tmp_path / "first", tmp_path / "second"], warnings) == {"sid": f"{tmp_path}/first/sid.yml"}
    assert warnings == []


def test_a_file_that_counts_for_no_image_does_not_hide_the_next(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "first/sid.yml").write_text("- hosts: all\n")
    (tmp_path / "second/sid.yml").write_text(PLAY)
    assert _playbooks([tmp_path / "first", tmp_path / "second"], warnings) == {"sid": f"{tmp_path}/second/sid.yml"}
    assert _playbooks([tmp_path / "first", tmp_path / "second"], warnings, {"sid"}) == {"sid": f"{tmp_path}/first/sid.yml"}


def test_of_two_files_the_yaml_counts(tmp_path: Path, warnings: list[str]) -> None:
    for name in ("sid.yml", "sid.yaml"):
        (tmp_path / name).write_text(PLAY)
    assert _playbooks([tmp_path], warnings) == {"sid": f"{tmp_path}/sid.yaml"}
    assert len(warnings) == 1
    assert f"{tmp_path}/sid.yml" in warnings[0]


@pytest.mark.parametrize(
    "name",
    [
        *("all", "ungrouped", "localhost", "nspawn_runner_missing", "127.0.0.1"),
        *("sid.new", "sid.old", "b b", " b", "b ", "-x", "x-", "x.", "a..b", "a.-b", "x" * 65, "a\nb", "a\x1b[2J", "a\u202eb", "\xe9", "a:b", "a,b"),
        *("a@b", "a*", "~a", "!a", "&a", "a[0]", "{{ 1 }}", "a\\b", "\ta"),
    ],
)
def test_a_playbook_of_an_impossible_image_is_refused_in_one_line(tmp_path: Path, warnings: list[str], name: str) -> None:
    (tmp_path / f"{name}.yml").write_text(PLAY)
    (tmp_path / "sid.yml").write_text(PLAY)
    assert _playbooks([tmp_path], warnings) == {"sid": f"{tmp_path}/sid.yml"}
    assert len(warnings) == 1
    assert warnings[0].startswith(f"refused: {tmp_path}/{visible(name)}.yml: no image can have the name")
    assert warnings[0].endswith("rename the file")
    assert visible(warnings[0]) == warnings[0]


def test_unwanted_playbooks_are_not_read(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "b b.yml").write_text(PLAY)
    assert _playbooks([tmp_path], warnings, wanted=lambda name: False) == {}
    assert warnings == []


def test_a_directory_that_cannot_be_read_is_named(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "file").touch()
    assert _playbooks([tmp_path / "file"], warnings) == {}
    assert len(warnings) == 1
    assert str(tmp_path / "file") in warnings[0]

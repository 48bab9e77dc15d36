# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Playbooks as text: unusual ones that count, bad ones with their line, and files that have nothing to do with images.

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from module_os import replace_os

pytest.importorskip("ansible", reason="the playbook reader uses Ansible's YAML loader")

from ansible.parsing.dataloader import DataLoader

from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import playbook
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import Playbook, read_playbook

SUITE = "nspawn_runner_chroot_suite: sid"
VAULT = "$ANSIBLE_VAULT;1.1;AES256\n33363965326261303234323936623133\n"


def _play(*variables: str) -> str:
    """A playbook whose first variable is on line 4."""
    return "".join(f"{line}\n" for line in ("---", "- hosts: all", "  vars:", *(f"    {variable}" for variable in variables), "  tasks: []"))


WARNINGS: list[str] = []


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbook, "_cache", {})
    WARNINGS.clear()


def _read(tmp_path: Path, content: str | bytes, has_tree: bool = False) -> Playbook | None:
    path = tmp_path / "aa.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_playbook(str(path), DataLoader(), has_tree, WARNINGS.append)


@pytest.mark.parametrize(
    ("content", "variables"),
    [
        pytest.param(_play(SUITE), {"nspawn_runner_chroot_suite": "sid"}, id="a usual one"),
        pytest.param(_play(SUITE, "other: 1", "ansible_host: /"), {"nspawn_runner_chroot_suite": "sid"}, id="other variables are not the image's"),
        pytest.param(f"\ufeff{_play(SUITE)}".replace("\n", "\r\n"), {"nspawn_runner_chroot_suite": "sid"}, id="a byte order mark and CRLF"),
        pytest.param(_play(SUITE) + "- hosts: all\n  vars: {nspawn_runner_odd: 1}\n", {"nspawn_runner_chroot_suite": "sid"}, id="a second play"),
        pytest.param(_play("nspawn_runner_keep_days: 3"), {"nspawn_runner_keep_days": 3}, id="a number stays a number"),
        pytest.param(_play('nspawn_runner_mirror: "{{ base }}/x"'), {"nspawn_runner_mirror": "{{ base }}/x"}, id="a template"),
        pytest.param(_play('nspawn_runner_mirror: !unsafe "{{ 1 }}"'), {"nspawn_runner_mirror": "{{ 1 }}"}, id="an unsafe value"),
        pytest.param(_play("nspawn_runner_binds: [/a, /b]"), {"nspawn_runner_binds": ["/a", "/b"]}, id="a list"),
        pytest.param(
            f"- hosts: all\n  x: &x {{{SUITE}, nspawn: 1}}\n  vars:\n    <<: *x\n    nspawn_runner_variant: buildd\n",
            {"nspawn_runner_chroot_suite": "sid", "nspawn_runner_variant": "buildd"},
            id="a merge key",
        ),
        pytest.param(
            _play("nspawn_runner_variant: minbase", "nspawn_runner_variant: buildd"), {"nspawn_runner_variant": "buildd"}, id="a key that is given twice"
        ),
        pytest.param(
            "- hosts: all\n  vars: {nspawn_runner_odd: 1}\n  vars: {nspawn_runner_variant: buildd}\n",
            {"nspawn_runner_variant": "buildd"},
            id="vars that are given twice",
        ),
    ],
)
def test_a_playbook_counts_by_the_variables_of_its_first_play(tmp_path: Path, content: str, variables: dict[str, Any]) -> None:
    for has_tree in (False, True):
        found = _read(tmp_path, content, has_tree)
        assert found is not None
        assert (found.error, found.variables, found.path) == (None, variables, str(tmp_path / "aa.yml"))


def test_a_vault_value_stays_encrypted(tmp_path: Path) -> None:
    value = VAULT.replace("\n", "\n      ").rstrip()
    found = _read(tmp_path, _play(f"nspawn_runner_mirror: !vault |\n      {value}"))
    assert found is not None
    assert found.error is None
    assert getattr(found.variables["nspawn_runner_mirror"], "_ciphertext", None) in (VAULT, VAULT.encode())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("- hosts: all\n  tasks: []\n", id="no variable"),
        pytest.param("- hosts: all\n  vars: {other: 1}\n", id="other variables"),
        pytest.param("- hosts: all\n  vars:\n", id="vars without a value"),
        pytest.param("- import_playbook: nspawn_runner_sid.yml\n", id="an import: its variables are in another file"),
        pytest.param("- hosts: all\n- hosts: all\n  vars: {nspawn_runner_odd: 1}\n", id="variables of the second play"),
        pytest.param(VAULT, id="a vault file"),
    ],
)
def test_without_a_variable_a_playbook_counts_for_a_tree_only(tmp_path: Path, content: str) -> None:
    assert _read(tmp_path, content, has_tree=False) is None
    assert _read(tmp_path, content, has_tree=True) == Playbook(str(tmp_path / "aa.yml"), {})


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="an empty file"),
        pytest.param("key: value\n", id="a mapping"),
        pytest.param("- [\n", id="no YAML"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"\n" * (1 << 21), id="a large file"),
    ],
)
def test_a_file_that_has_nothing_to_do_with_images_is_no_reason_to_complain(tmp_path: Path, content: str | bytes) -> None:
    assert _read(tmp_path, content) is None


EMPTY = "is empty"


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        pytest.param("", None, EMPTY, id="an empty file"),
        pytest.param("---\n# Nothing yet\n", None, EMPTY, id="a comment"),
        pytest.param("[]\n", None, EMPTY, id="an empty list"),
        pytest.param(f"hosts: all\nvars:\n  {SUITE}\n", 1, "is not a list of plays", id="a mapping"),
        pytest.param("nspawn_runner_ is a prefix\n", 1, "is not a list of plays", id="text"),
        pytest.param("- nspawn_runner_ is a prefix\n", 1, "its first entry is not a play", id="a list of text"),
        pytest.param(f"- hosts: all\n  vars:\n    - {SUITE}\n", 3, "the vars of its first play are not a mapping", id="a list of variables"),
        pytest.param(f"{_play(SUITE)}  - [\n", 6, "is not valid YAML", id="an open bracket"),
        pytest.param(f"{_play(SUITE)}---\n[]\n", 6, "is not valid YAML", id="two documents"),
        pytest.param(_play(f"{SUITE}\x01"), 4, "is not valid YAML", id="a control character"),
        pytest.param(_play("nspawn_runner_mirror: !none http://x"), 4, "is not valid YAML", id="an unknown tag"),
        pytest.param(_play(SUITE).encode() + b"# \xff\n", 6, "is not UTF-8", id="bytes that are no UTF-8"),
        pytest.param(_play(SUITE).encode() + b"\n" * (1 << 20), None, "is larger than 1 MiB", id="too large"),
        pytest.param(_play(SUITE, "nspawn_runner_odd: 1"), 5, "unknown variable nspawn_runner_odd", id="an unknown variable"),
        pytest.param(_play(SUITE, "nspawn_runner_packages: &a [x, *a]"), 5, "the value of nspawn_runner_packages contains itself", id="a list in itself"),
        pytest.param(_play("nspawn_runner_environment: &a {A: {B: [*a]}}"), 4, "the value of nspawn_runner_environment contains itself", id="deep in itself"),
        pytest.param(_play("nspawn_runner_path: /"), 4, "nspawn_runner_path is set by the collection", id="a variable of the collection"),
        pytest.param(_play("\"nspawn_runner_{{ lookup('pipe', 'x') }}\": 1"), 4, "unknown variable", id="a name that is a template"),
    ],
)
def test_a_bad_playbook_has_an_error_with_file_and_line(tmp_path: Path, content: str | bytes, line: int | None, message: str) -> None:
    found = _read(tmp_path, content, has_tree=True)
    assert found is not None
    assert found.variables == {}
    assert str(found.error).startswith(f"{tmp_path / 'aa.yml'}:{line}: {message}" if line else f"{tmp_path / 'aa.yml'}: {message}")


def test_an_alias_of_another_part_is_no_circle(tmp_path: Path) -> None:
    found = _read(tmp_path, _play("nspawn_runner_packages: [&a x, *a]", "nspawn_runner_components: &b [main]", "nspawn_runner_binds: *b"))
    assert found is not None
    assert found.error is None


def test_variables_without_effect_give_warnings_each_time(tmp_path: Path) -> None:
    content = _play(SUITE) + "- hosts: all\n  vars: {nspawn_runner_odd: 1}\n"
    for _time in range(2):
        _read(tmp_path, content)
        assert [warning.partition(" has no effect here: ")[0] for warning in WARNINGS] == [f"{tmp_path / 'aa.yml'}:7: nspawn_runner_odd"]
        WARNINGS.clear()


def test_variables_of_a_later_play_make_no_image_and_give_a_warning(tmp_path: Path) -> None:
    assert _read(tmp_path, "- hosts: all\n- hosts: all\n  vars:\n    nspawn_runner_chroot_suite: sid\n") is None
    assert [
        (
            f"{tmp_path / 'aa.yml'}:4: nspawn_runner_chroot_suite is not in the vars of the first play, so this file is the playbook of no image: "
            "move it to the first play"
        )
    ] == WARNINGS


def test_all_mistakes_are_shown_at_once(tmp_path: Path) -> None:
    found = _read(tmp_path, _play(SUITE, "nspawn_runner_chroot_siute: sid", "nspawn_runner_zzzzqqqq: 1", "nspawn_runner_path: /"))
    assert found is not None
    mistakes = str(found.error).split("; " + str(tmp_path))
    assert [mistake.split(":")[1] for mistake in mistakes] == ["5", "6", "7"]
    assert "nspawn_runner_chroot_suite" in mistakes[0]
    assert "near" not in mistakes[1]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("nspawn_runner_chroot_siute", "nspawn_runner_chroot_suite"),
        ("nspawn_runner_bind", "nspawn_runner_binds"),
        ("nspawn_runner_KEEP_days", "nspawn_runner_keep_days"),
        ("nspawn_runner_zzzzqqqq", ""),
        ("nspawn_runner_", ""),
    ],
)
def test_the_nearest_name(name: str, near: str) -> None:
    hint = playbook.nearest_hint(name)
    assert hint.endswith(near)
    assert bool(hint) == bool(near)


@pytest.mark.parametrize("kind", ["a directory", "a FIFO"])
def test_a_path_that_is_no_file_is_an_error_for_a_tree(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "aa.yml"
    if kind == "a directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    found = read_playbook(str(path), DataLoader(), True, WARNINGS.append)
    assert found is not None
    assert str(found.error).startswith(f"{path}: is not a regular file")
    assert read_playbook(str(path), DataLoader(), False, WARNINGS.append) is None


def test_a_missing_playbook_is_none(tmp_path: Path) -> None:
    assert read_playbook(str(tmp_path / "aa.yml"), DataLoader(), True, WARNINGS.append) is None


@pytest.mark.parametrize("has_tree", [False, True])
def test_a_dangling_link_is_an_error(tmp_path: Path, has_tree: bool) -> None:
    (tmp_path / "aa.yml").symlink_to("nowhere.yml")
    found = read_playbook(str(tmp_path / "aa.yml"), DataLoader(), has_tree, WARNINGS.append)
    assert found is not None
    assert str(found.error).startswith(f"{tmp_path / 'aa.yml'}: cannot be read")


def test_a_playbook_can_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text(_play(SUITE))
    (tmp_path / "aa.yml").symlink_to("target")
    found = read_playbook(str(tmp_path / "aa.yml"), DataLoader(), False, WARNINGS.append)
    assert found is not None
    assert found.variables == {"nspawn_runner_chroot_suite": "sid"}


def test_a_playbook_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "aa.yml").write_text(_play(SUITE))
    real = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path).endswith("aa.yml"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)

    replace_os(monkeypatch, playbook, open=refuse)
    found = read_playbook(str(tmp_path / "aa.yml"), DataLoader(), False, WARNINGS.append)
    assert found is not None
    assert str(found.error) == f"{tmp_path / 'aa.yml'}: cannot be read: Permission denied"


def test_a_playbook_is_read_again_when_it_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = _read(tmp_path, _play(SUITE))
    assert read_playbook(str(tmp_path / "aa.yml"), DataLoader(), False, WARNINGS.append) is first
    second = _read(tmp_path, _play("nspawn_runner_chroot_suite: trixie"))
    assert second is not None
    assert second.variables == {"nspawn_runner_chroot_suite": "trixie"}

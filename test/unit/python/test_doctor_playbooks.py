# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Files that look like the playbook of an image, and are none.

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ansible", reason="a playbook is read by Ansible's own loader")

from ansible.parsing.dataloader import DataLoader

from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import playbooks
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, WARNING

COUNTS = "- hosts: aa\n  vars: {nspawn_runner_chroot_suite: sid}\n"


@pytest.mark.parametrize(
    ("file", "text", "remedy"),
    [
        pytest.param("aa.yml", "- hosts: aa\n  tasks: []\n", "set nspawn_runner_chroot_suite there", id="a play for the image alone"),
        pytest.param("aa.yml", "- hosts: all\n  vars: {nspawnrunner_suite: sid}\n", "set nspawn_runner_chroot_suite there", id="a misspelt prefix"),
        pytest.param("aa.yaml", "- hosts: aa\n- hosts: aa\n  vars: {nspawn_runner_suite: sid}\n", "set nspawn_runner_", id="variables in the second play"),
        pytest.param("aa.YML", COUNTS, "rename it to aa.yml", id="an ending in capital letters"),
        pytest.param("aa.Yaml", "- hosts: aa\n", "rename it to aa.yaml", id="an ending with one capital letter"),
        pytest.param("aa.yml", COUNTS, "", id="an image that the inventory excludes"),
        pytest.param("known.yml", "- hosts: known\n", "", id="an image with a tree"),
        pytest.param("site.yml", "- import_playbook: nspawn.runner.maintenance\n", "", id="the playbook for all images"),
        pytest.param("hosts.yml", "all:\n  hosts: {aa: {}}\n", "", id="an inventory"),
        pytest.param("backup.yml", "- hosts: localhost\n", "", id="a playbook for another host"),
        pytest.param("aa.yml", "- hosts: [\n", "", id="bad YAML"),
        pytest.param("aa.yml", "", "", id="an empty file"),
        pytest.param("aa.yml", "- hosts: aa\n  vars: [a]\n  vars_files: !vault x\n", "set nspawn_runner_", id="vars that are a list"),
        pytest.param("nspawn_runner.yml", "plugin: nspawn.runner.chroots\n", "", id="the inventory file"),
        pytest.param(".aa.yml", "- hosts: .aa\n", "", id="a hidden file"),
        pytest.param("aa.yml.old", "- hosts: aa\n", "", id="another ending"),
    ],
)
def test_a_file_that_looks_like_the_playbook_of_an_image(tmp_path: Path, file: str, text: str, remedy: str) -> None:
    (tmp_path / file).write_text(text)
    (row,) = playbooks.misnamed(playbooks.Searched([str(tmp_path), str(tmp_path / "none")], {"known"}, DataLoader()))
    assert row[0] == (WARNING if remedy else OK)
    assert (str(tmp_path / file) in row[1]) == bool(remedy)
    assert not remedy or remedy in row[2]


def test_playbooks_are_where_the_inventory_files_say(tmp_path: Path) -> None:
    beside = ["nspawn_runner.yml", "other.nspawn_runner.yaml", "hosts.yml", "bad/nspawn_runner.yml", "missing/nspawn_runner.yml", "none/nspawn_runner.yml"]
    for name in ("bad", "missing", "plays"):
        (tmp_path / name).mkdir()
    plugin = "plugin: nspawn.runner.chroots\n"
    texts = [f"{plugin}root: /srv\n", f"{plugin}playbook_dirs: [plays, /usr]\n", "", "- [\n", f"{plugin}playbook_dirs: [absent]\n"]
    for file, text in zip(beside, texts):
        (tmp_path / file).write_text(text)
    found = playbooks.directories([str(tmp_path / file) for file in beside], DataLoader())
    assert found == [str(tmp_path), "/srv", str(tmp_path / "plays"), "/usr"]


def test_each_playbook_is_trusted_by_root(tmp_path: Path) -> None:
    for file in ("site.yml", "b.YAML", "notes.txt"):
        (tmp_path / file).touch()
    assert playbooks.files([str(tmp_path), str(tmp_path / "none")]) == [str(tmp_path / "b.YAML"), str(tmp_path / "site.yml")]

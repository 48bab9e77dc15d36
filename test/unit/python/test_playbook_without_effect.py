# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from yaml import SafeLoader, compose

pytest.importorskip("ansible", reason="playbooks are Ansible's")

from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import without_effect

REMEDY = "set it in the vars of the first play of the image's playbook, or in group_vars or host_vars beside the inventory file"


def _found(directory: Path, text: str) -> list[str]:
    """FILE:LINE: NAME of each variable without effect in a playbook; the first play is the first entry."""
    document = compose(text, SafeLoader)
    first_vars = {key.value: value for key, value in document.value[0].value}.get("vars")
    sentences = [*without_effect.in_playbook(str(directory / "aa.yml"), document, first_vars)]
    assert [sentence for sentence in sentences if not sentence.endswith(f" has no effect here: {REMEDY}")] == []
    return [sentence.partition(" has no effect")[0].replace(f"{directory}/", "") for sentence in sentences]


FIRST = "- hosts: all\n  vars: {nspawn_runner_chroot_suite: sid}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(FIRST, [], id="the first play"),
        pytest.param("- hosts: all\n", [], id="no variable"),
        pytest.param(f"{FIRST}- hosts: all\n  vars: {{nspawn_runner_pakages: [x]}}\n", ["aa.yml:4: nspawn_runner_pakages"], id="a second play"),
        pytest.param(f"{FIRST}  tasks:\n    - vars: {{nspawn_runner_mirror: x}}\n", ["aa.yml:4: nspawn_runner_mirror"], id="a task"),
        pytest.param(f"{FIRST}  tasks:\n    - set_fact: {{nspawn_runner_mirror: x}}\n", ["aa.yml:4: nspawn_runner_mirror"], id="set_fact"),
        pytest.param(f"{FIRST}  roles:\n    - {{role: x, nspawn_runner_mirror: x}}\n", ["aa.yml:4: nspawn_runner_mirror"], id="a role"),
        pytest.param(f"{FIRST}  tasks:\n    - debug: {{var: nspawn_runner_path}}\n", [], id="a use of a variable"),
        pytest.param("- hosts: all\n  x: &x {nspawn_runner_mirror: x}\n  vars:\n    <<: *x\n", [], id="a merge key of the first play"),
        pytest.param("- hosts: all\n  x: &x [*x, {nspawn_runner_mirror: x}]\n", ["aa.yml:2: nspawn_runner_mirror"], id="a list in itself"),
        pytest.param(f"{FIRST}  vars_files: more.yml\n", ["more.yml:2: nspawn_runner_pakages"], id="vars_files"),
        pytest.param(f"{FIRST}  vars_files: [[none.yml, more.yml]]\n", ["more.yml:2: nspawn_runner_pakages"], id="a list of alternatives"),
        pytest.param(f"{FIRST}  vars_files: ['mo{{{{ x }}}}.yml']\n", ["more.yml:2: nspawn_runner_pakages"], id="a template"),
        pytest.param(f"{FIRST}  vars_files: inner.yml\n", ["vars/inner.yml:1: nspawn_runner_mirror"], id="the directory vars"),
        pytest.param(f"{FIRST}  tasks:\n    - include_vars: {{file: more.yml}}\n", ["more.yml:2: nspawn_runner_pakages"], id="include_vars"),
        pytest.param(f"{FIRST}  vars_files: &a [*a]\n", [], id="a list of files in itself"),
        pytest.param(f"{FIRST}  vars_files: [fifo.yml, bad.yml, list.yml, 5]\n", [], id="files that hold no variables"),
    ],
)
def test_variables_of_a_playbook(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "vars").mkdir()
    (tmp_path / "more.yml").write_text("other: 1\nnspawn_runner_pakages: [x]\n")
    (tmp_path / "vars/inner.yml").write_text("nspawn_runner_mirror: x\n")
    (tmp_path / "bad.yml").write_text("nspawn_runner_mirror: [\n")
    (tmp_path / "list.yml").write_text("[nspawn_runner_mirror: 1]\n")
    os.mkfifo(tmp_path / "fifo.yml")
    assert _found(tmp_path, text) == found


def test_group_vars_beside_a_playbook_have_no_effect(tmp_path: Path) -> None:
    for name in ("group_vars/all.yml", "group_vars/nspawn_runner/more", "host_vars/aa.yml", "host_vars/.hidden.yml", "roles/x/defaults/main.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("nspawn_runner_mirror: !vault x\n")
    assert [*without_effect.beside(str(tmp_path), {str(tmp_path)})] == []
    assert [sentence.partition(" has")[0] for sentence in without_effect.beside(str(tmp_path), {"/elsewhere"})] == [
        f"{tmp_path}/{name}:1: nspawn_runner_mirror" for name in ("group_vars/all.yml", "group_vars/nspawn_runner/more", "host_vars/aa.yml")
    ]

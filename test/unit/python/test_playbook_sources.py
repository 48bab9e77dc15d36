# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ansible", reason="ansible.cfg is found by Ansible")

from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import sources


def test_files_that_ansible_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for directory in ("etc/group_vars", "etc/roles/web/tasks", "etc/filter_plugins", "etc/unrelated", "playbooks", "cfg"):
        (tmp_path / directory).mkdir(parents=True)
    for file in (
        "etc/nspawn_runner.yml",
        "etc/group_vars/all.yml",
        "etc/notes",
        "etc/roles/web/tasks/main.yml",
        "etc/filter_plugins/x.py",
        "playbooks/aa.yml",
        "playbooks/bb.yml",
        "cfg/ansible.cfg",
    ):
        (tmp_path / file).touch()
    monkeypatch.setattr(sources.C, "CONFIG_FILE", str(tmp_path / "cfg/ansible.cfg"))
    playbooks = [str(tmp_path / "playbooks/aa.yml"), str(tmp_path / "missing.yml"), ""]
    found = sources.sources(playbooks, [str(tmp_path / "etc/nspawn_runner.yml"), "localhost,"])
    assert {str(Path(path).relative_to(tmp_path)) for path in found} == {
        *("playbooks/aa.yml", "playbooks", "etc/nspawn_runner.yml", "etc", "cfg/ansible.cfg", "cfg"),
        *("etc/group_vars", "etc/group_vars/all.yml", "etc/roles", "etc/roles/web"),
        *("etc/roles/web/tasks", "etc/roles/web/tasks/main.yml", "etc/filter_plugins", "etc/filter_plugins/x.py"),
    }

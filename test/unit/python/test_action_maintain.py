# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="an action is a plugin of Ansible's")

from ansible_collections.nspawn.runner.plugins.action import maintain
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import variables as variables_module

IMAGE = Image("aa", "/srv", "/srv/aa", "/etc/nspawn-runner/aa.yml")


@pytest.mark.parametrize(
    ("variables", "connection", "program"),
    [
        ({"ansible_connection": "nspawn.runner.nspawn"}, "nspawn.runner.nspawn", maintain.WRAPPER),
        ({"ansible_connection": "community.general.chroot", "ansible_chroot_exe": "/x"}, "community.general.chroot", "/x"),
    ],
)
def test_the_variables_that_lead_to_the_staged_tree_are_pinned(variables: dict[str, Any], connection: str, program: str) -> None:
    pinned = maintain._pinned(IMAGE, {**variables, "ansible_host": "/", "nspawn_runner_path": "/"})
    staged = "/srv/.nspawn-runner/aa/staged"
    assert (pinned["ansible_host"], pinned["ansible_ssh_host"], pinned["nspawn_runner_path"]) == (staged, staged, staged)
    assert (pinned["ansible_connection"], pinned["ansible_chroot_exe"]) == (connection, program)
    assert (pinned["nspawn_runner_root"], pinned["nspawn_runner_present"], pinned["nspawn_runner_playbook"]) == ("/srv", True, IMAGE.playbook)


def _check(monkeypatch: pytest.MonkeyPatch, image: Image = IMAGE, **variables: Any) -> dict[str, Any]:
    manager = SimpleNamespace(_inventory=SimpleNamespace(groups={"all": 1, "db": 1}))
    host = SimpleNamespace(name=image.name, get_vars=lambda: variables)
    monkeypatch.setattr(maintain.context, "CLIARGS", {})
    monkeypatch.setattr(maintain, "variables_without_facts", lambda manager, host: {"ansible_connection": "nspawn.runner.nspawn", **variables})
    found: dict[str, Any] = {name: SimpleNamespace(resolved=True, resolved_fqcn=name) for name in ("nspawn.runner.nspawn", "local")}
    monkeypatch.setattr(variables_module.connection_loader, "find_plugin_with_context", lambda name: found.get(name, SimpleNamespace(resolved=False)))
    checked = maintain._variables(image, host, manager)
    maintain.check_connection(image, checked)
    return checked


def test_the_variables_of_an_image_are_those_without_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _check(monkeypatch, other=1) == {"ansible_connection": "nspawn.runner.nspawn", "other": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"nspawn_runner_error": "aa.yml:3: no play"}, ["aa.yml:3: no play"], id="a playbook with an error"),
        pytest.param({"image": IMAGE._replace(playbook="")}, ["aa", "aa.yml"], id="no playbook"),
        pytest.param({"image": IMAGE._replace(name="db")}, ["db", "group"], id="the name of a group"),
        pytest.param({"nspawn_runner_odd": 1}, ["nspawn_runner_odd"], id="an unknown variable"),
        pytest.param({"ansible_connection": "example.none.x"}, ["outside", "example.none.x", "use nspawn.runner.nspawn"], id="a connection plugin of others"),
        pytest.param(
            {"ansible_connection": "community.general.chroot"},
            ["ansible-galaxy collection install community.general", "apt install ansible"],
            id="a connection plugin of a package of Debian's",
        ),
        pytest.param({"ansible_connection": "local"}, ["aa", "outside of its tree", "local"], id="tasks on the host"),
        pytest.param({"ansible_connection": None}, ["outside of its tree"], id="no connection plugin"),
    ],
)
def test_an_image_that_is_refused(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(RunnerError) as error:
        _check(monkeypatch, **change)
    assert [word for word in words if word not in str(error.value)] == []

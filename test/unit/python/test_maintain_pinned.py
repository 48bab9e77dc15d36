# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("ansible", reason="the variables are Ansible's")

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible import facts
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import Inner
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.pinned import pin


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(facts.C, "RESTRICTED_RESULT_KEYS", facts.C.RESTRICTED_RESULT_KEYS)
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=["aa,bb,"])
    inventory.get_host("aa").vars.update(scripts="/etc/scripts", ansible_host="/tree")
    manager = VariableManager(loader=loader, inventory=inventory)
    pin(Inner("aa", "/srv/aa", "/staged", "/result", {"ansible_host": "/staged", "ansible_connection": "nspawn.runner.nspawn"}), manager)
    return manager


def _variables(manager: Any, host: str = "aa") -> Any:
    return manager.get_vars(host=manager._inventory.get_host(host))


def test_pinned_variables_outrank_the_inventory(manager: Any) -> None:
    assert _variables(manager)["ansible_host"] == "/staged"
    assert _variables(manager, "bb").get("ansible_host") is None


def test_a_fact_can_add_a_variable_and_override_none(manager: Any) -> None:
    names = ("scripts", "ansible_host", "ansible_connection", "inventory_hostname", "group_names", "inventory_dir", "playbook_dir")
    manager.set_host_facts("aa", {**dict.fromkeys(names, "/evil"), "ansible_distribution": "Debian", "mine": 1})
    after = _variables(manager)
    assert [name for name in names if after.get(name) == "/evil"] == []
    assert (after["ansible_distribution"], after["mine"]) == ("Debian", 1)
    # Within a loop, a task's own process takes facts for variables.
    assert set(facts.C.RESTRICTED_RESULT_KEYS) >= {"scripts", "inventory_hostname", "playbook_dir"}


@pytest.mark.parametrize("set_by", ["set_nonpersistent_facts", "set_host_variable"])
def test_a_task_that_changes_a_pinned_variable_ends_the_run(manager: Any, set_by: str) -> None:
    arguments = ({"ansible_connection": "local"},) if set_by == "set_nonpersistent_facts" else ("ansible_connection", "local")
    getattr(manager, set_by)("aa", *arguments)
    with pytest.raises(AnsibleError, match="ansible_connection of image aa cannot be changed by a task or a role"):
        _variables(manager)
    assert _variables(manager, "bb")["inventory_hostname"] == "bb"

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="facts are cleaned by Ansible")

from ansible.vars.clean import clean_facts

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible import facts


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts.C, "RESTRICTED_RESULT_KEYS", facts.C.RESTRICTED_RESULT_KEYS)


def test_all_names_that_ansible_itself_lists_as_special_are_known() -> None:
    # From 2.16 on.
    assert set(getattr(facts.C, "INTERNAL_STATIC_VARS", ())) - set(facts._SPECIAL.split()) == set()


def test_facts_with_special_names_do_not_become_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"exe": {"vars": [{"name": "ansible_box_exe"}]}, "quiet": {}, "none": {"vars": None}}
    with monkeypatch.context() as patch:
        patch.setattr(facts.C.config, "get_configuration_definitions", lambda kind=None, name=None: options if name == "box" else {})
        facts.refuse_special_facts(("connection", SimpleNamespace(_load_name="box")))
    special: dict[str, Any] = dict.fromkeys(
        ("inventory_dir", "role_path", "ansible_search_path", "ansible_delegated_vars", "nspawn_runner_binds", "nspawn_runner_path", "ansible_box_exe"), "/evil"
    )
    assert clean_facts({**special, "ansible_distribution": "Debian", "mine": 1}) == {"ansible_distribution": "Debian", "mine": 1}

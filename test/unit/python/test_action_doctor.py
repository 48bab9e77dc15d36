# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="an action is a plugin of Ansible's")

from ansible.errors import AnsibleError

from ansible_collections.nspawn.runner.plugins.action import doctor
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image

IMAGE = Image("aa", "/srv", "/srv/aa", "/etc/nspawn-runner/aa.yml")


@pytest.mark.parametrize("origin", ["/etc/nspawn-runner/host_vars/aa.yml:2:1", ""])
def test_an_error_in_group_vars_or_host_vars_is_a_problem_of_the_image(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    def fail(manager: Any, host: Any) -> None:
        cause = AnsibleError("in YAML")
        if origin:
            # As a property of ansible-core 2.19 and later.
            monkeypatch.setattr(AnsibleError, "_formatted_source_context", f"Origin: {origin}\n\n1 a: [\n", raising=False)
        raise AnsibleError("YAML parsing\n failed.") from cause

    monkeypatch.setattr(AnsibleError, "_formatted_source_context", None, raising=False)
    monkeypatch.setattr(doctor, "variables_without_facts", fail)
    action: Any = object.__new__(doctor.ActionModule)
    action._task = SimpleNamespace(get_variable_manager=lambda: None)
    subject = action._subject(IMAGE, SimpleNamespace(get_vars=dict))
    assert subject.problem.found == "the variables of image aa cannot be read: YAML parsing failed"
    assert subject.problem.remedy == (f"fix {origin}" if origin else "")

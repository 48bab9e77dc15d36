# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# On the ansible-core that is installed: versions before 2.19 mark unsafe text, later ones mark trusted text.

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("ansible", reason="text is marked by Ansible's classes")

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import unsafe, user_yaml

TEMPLATES = ["{{ 6 * 7 }}", "x{{ 6 * 7 }}y", "{% if true %}x{% endif %}", "{# comment #}x", "{{ lookup('pipe', 'true') }}"]
PLAIN = ["trixie", "Debian GNU/Linux 13 (trixie)", "/srv/images/aa", 'it\'s "x"; a=b, c!', "", "a.b: cannot be read"]
ODD = ["a\nb", "a{b", "#line: x", "50%", "a (b) (c)", "grün", "$(x)", "<% x %>", "a|b"]


def _render(value: Any) -> Any:
    return Templar(loader=DataLoader(), variables={}).template(value)


@pytest.mark.parametrize("text", [*TEMPLATES, *PLAIN, *ODD])
def test_unsafe_text_is_never_rendered(text: str) -> None:
    assert unsafe(text) == text
    assert _render(unsafe(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_text_that_can_be_no_template_is_shown_as_it_is(text: str) -> None:
    # Other strings are shown as {"__ansible_unsafe": ...} by ansible-inventory.
    assert not getattr(unsafe(text), "__UNSAFE__", False)


def test_templates_in_a_users_yaml_are_rendered() -> None:
    loader = user_yaml('a: "{{ 6 * 7 }}"\nb: !unsafe "{{ 6 * 7 }}"\n', "/etc/aa.yml", DataLoader())
    values = loader.construct_document(loader.get_single_node())
    assert _render(values["a"]) in (42, "42")
    assert _render(values["b"]) == "{{ 6 * 7 }}"


def test_nodes_of_a_users_yaml_have_their_line() -> None:
    node = user_yaml("\n\na: 1\n", "/etc/aa.yml", DataLoader()).get_single_node()
    assert node.value[0][0].start_mark.line == 2

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ansible", reason="values of a tree are marked unsafe by Ansible's classes")

from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import tree_facts

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\nHOME_URL=x\n'


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param(
            DEBIAN,
            {"pretty_name": "Debian GNU/Linux 13 (trixie)", "version_id": "13", "version_codename": "trixie", "id": "debian"},
            id="Debian",
        ),
        pytest.param("", {}, id="empty"),
        pytest.param("ID=sid", {"id": "sid"}, id="no line feed at the end"),
        pytest.param("ID='a b'\n", {"id": "a b"}, id="single quotes"),
        pytest.param('ID="a\\"b"\n', {"id": 'a"b'}, id="an escaped quote"),
        pytest.param("  ID=a  \r\n", {"id": "a"}, id="blanks and CRLF"),
        pytest.param("# ID=a\n", {}, id="a comment"),
        pytest.param("ID\nID =a\nXID=a\n", {}, id="lines that are no assignment"),
        pytest.param("ID=a b\n", {}, id="two words"),
        pytest.param("ID=\n", {}, id="no value"),
        pytest.param('ID=""\n', {"id": ""}, id="an empty value"),
        pytest.param('ID="open\nVERSION_ID=1\n', {"version_id": "1"}, id="an open quote"),
        pytest.param("ID=a\nID=b\n", {"id": "b"}, id="given twice: the last one, as in a shell"),
        pytest.param("ID=$(reboot)\n", {"id": "$(reboot)"}, id="a command is text"),
        pytest.param("ID=\ufffd\n", {"id": "\ufffd"}, id="a replaced byte"),
    ],
)
def test_parse(text: str, values: dict[str, str]) -> None:
    assert tree_facts._parse(text) == values


def _tree(tmp_path: Path, path: str, content: str | bytes) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(content if isinstance(content, bytes) else content.encode())


def test_the_file_of_etc_comes_first(tmp_path: Path) -> None:
    _tree(tmp_path, "usr/lib/os-release", "ID=usr\n")
    assert tree_facts.os_release(str(tmp_path)) == {"id": "usr"}
    _tree(tmp_path, "etc/os-release", "ID=etc\n")
    assert tree_facts.os_release(str(tmp_path)) == {"id": "etc"}


def test_a_link_in_etc_is_not_followed_and_leads_to_usr(tmp_path: Path) -> None:
    # Debian's own /etc/os-release is a link.
    _tree(tmp_path, "usr/lib/os-release", "ID=usr\n")
    _tree(tmp_path, "host/os-release", "ID=host\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to(tmp_path / "host/os-release")
    assert tree_facts.os_release(str(tmp_path)) == {"id": "usr"}


@pytest.mark.parametrize("kind", ["missing", "links", "too large"])
def test_a_tree_without_a_readable_file_has_no_values(tmp_path: Path, kind: str) -> None:
    if kind == "links":
        for directory in ("etc", "usr/lib"):
            (tmp_path / directory).mkdir(parents=True)
            (tmp_path / directory / "os-release").symlink_to("/usr/lib/os-release")
    elif kind == "too large":
        _tree(tmp_path, "usr/lib/os-release", "ID=a\n" + "#" * (64 << 10))
    assert tree_facts.os_release(str(tmp_path)) == {}


def test_bytes_that_are_no_utf8_are_replaced(tmp_path: Path) -> None:
    _tree(tmp_path, "etc/os-release", b"ID=a\xff\nVERSION_ID=1\n")
    assert tree_facts.os_release(str(tmp_path)) == {"id": "a\ufffd", "version_id": "1"}


def test_a_template_of_the_tree_is_never_rendered(tmp_path: Path) -> None:
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    _tree(tmp_path, "etc/os-release", 'ID="{{ 6 * 7 }}"\n')
    values = tree_facts.os_release(str(tmp_path))
    assert Templar(loader=DataLoader(), variables={}).template(values["id"]) == "{{ 6 * 7 }}"

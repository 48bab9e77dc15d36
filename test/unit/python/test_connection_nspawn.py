# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

pytest.importorskip("ansible", reason="a connection is a plugin of Ansible's")

from ansible.errors import AnsibleError

from ansible_collections.nspawn.runner.plugins.connection import nspawn


@pytest.mark.parametrize(
    ("command", "python"),
    [
        pytest.param("/bin/sh -c /usr/bin/python3", "/usr/bin/python3", id="a module by pipelining"),
        pytest.param("/bin/sh -c '/usr/bin/python3 && sleep 0'", "/usr/bin/python3", id="before ansible-core 2.21"),
        pytest.param("/bin/sh -c '/opt/venv-1/bin/python3.12 && sleep 0'", "/opt/venv-1/bin/python3.12", id="another Python"),
        pytest.param("/bin/sh -c 'LANG=C /usr/bin/python3 && sleep 0'", None, id="an environment"),
        pytest.param("/bin/sh -c 'python3 && sleep 0'", None, id="a name on PATH"),
        pytest.param("/bin/sh -c '/usr/bin/python3 x.py && sleep 0'", None, id="an argument"),
        pytest.param("/bin/sh -c '/usr/bin/python3 && sleep 0'; id", None, id="another command"),
        pytest.param("/bin/sh -c 'sudo -u x /usr/bin/python3 && sleep 0'", None, id="another user"),
        pytest.param("/bin/sh -c '/usr/bin/python3 x.py'", None, id="an argument, without sleep"),
        pytest.param("/bin/sh -c '/usr/bin/python3", None, id="one quote"),
        pytest.param("/bin/sh -c python3", None, id="a name on PATH, without sleep"),
        pytest.param("id", None, id="a plain command"),
    ],
)
def test_a_module_is_told_from_other_commands(command: str, python: str | None) -> None:
    match = nspawn._MODULE.fullmatch(command)
    assert (match["python"] if match else None) == python


@pytest.mark.parametrize(("status", "stderr", "ending"), [(1, b"cat: no\n", ": cat: no"), (7, b"", ": exit status 7"), (1, b"\xff", ": \ufffd")])
def test_a_failed_copy_is_an_error_with_its_words(status: int, stderr: bytes, ending: str) -> None:
    with pytest.raises(AnsibleError) as error:
        nspawn._check(status, stderr, "a cannot be copied to b")
    assert str(error.value).endswith(f"a cannot be copied to b{ending}")


def test_a_copy_that_worked_is_no_error() -> None:
    nspawn._check(0, b"a warning", "a cannot be copied to b")

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="a failure is a result of Ansible's")

from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.failure import failure, rescued

SWAPON = {"msg": "non-zero return code", "rc": 255, "stdout": "", "stderr": "swapon: cannot open /x: No such file or directory"}
UNDEFINED = "'foo' is undefined"
# As ansible-core 2.14 words an undefined variable.
EXPLAINED = f"""The task includes an option with an undefined variable. The error was: {UNDEFINED}. {UNDEFINED}

The error appears to be in '/etc/nspawn-runner/aa.yml': line 5, column 5, but may
be elsewhere in the file depending on the exact syntax problem."""
APT = "'/usr/bin/apt-get -y -o \"Dpkg::Options::=--force-confdef\"       install 'foo'' failed: "
DPKG = """debconf: delaying package configuration
dpkg: error processing package foo (--configure):
 installed foo package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 foo
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
FETCH = """E: Failed to fetch http://mirror.example.org/foo.deb  404  Not Found
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?
"""
CENSORED = {"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result", "changed": True}


def _result(values: dict[str, Any], **task: Any) -> Any:
    return SimpleNamespace(task_name="Install", _result=values, _task=SimpleNamespace(**task))


def _message(values: dict[str, Any], **task: Any) -> str:
    return failure(_result(values, **task))["msg"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"msg": "No package"}, "No package", id="a message"),
        pytest.param({"msg": "a\n  b\n"}, "a b", id="more than a line"),
        pytest.param({"reason": "bad YAML"}, "bad YAML", id="a reason"),
        pytest.param({}, "no message", id="no message"),
        pytest.param({"msg": "MODULE FAILURE\nSee stdout", "module_stderr": "Traceback\nImportError: apt\n"}, "ImportError: apt", id="a module's error"),
        pytest.param({"msg": "MODULE FAILURE", "module_stderr": " \n", "module_stdout": "a\nb"}, "b", id="a module's output"),
        pytest.param({"msg": "a\x1b[2J\u2028b\x9b"}, r"a\x1b[2J b\x9b", id="control characters"),
        pytest.param({"msg": ["a", "b"]}, "['a', 'b']", id="a message that is a list"),
        pytest.param(SWAPON, "swapon: cannot open /x: No such file or directory (exit status 255)", id="command"),
        pytest.param({**SWAPON, "stderr": "", "stdout": "a\nb\n"}, "b (exit status 255)", id="standard output, where standard error is empty"),
        pytest.param({**SWAPON, "stderr": "E1\n-----\n\n"}, "E1 (exit status 255)", id="a line without a word says nothing"),
        pytest.param({**SWAPON, "stderr": "50%\rE\x1b[2J"}, r"E\x1b[2J (exit status 255)", id="the last state of a progress line"),
        pytest.param({**SWAPON, "stderr": ""}, "no output (exit status 255)", id="no output"),
        pytest.param({**SWAPON, "attempts": 3}, f"{SWAPON['stderr']} (exit status 255) (after 3 attempts)", id="retries"),
        pytest.param({"msg": "[Errno 2] No such file: b'/x'", "rc": 2, "stdout": "", "stderr": ""}, "[Errno 2] No such file: b'/x'", id="no program"),
        pytest.param({"msg": "Error executing command.", "rc": 2, "cmd": "/x --y"}, "/x cannot be executed", id="no program, 2.19"),
        pytest.param({"ansible_job_id": "j1.2", "finished": 1, **SWAPON}, f"{SWAPON['stderr']} (exit status 255)", id="async"),
        pytest.param({"unreachable": True, "msg": "the container ended"}, "the container ended", id="unreachable"),
        pytest.param({"msg": EXPLAINED}, UNDEFINED, id="an undefined variable, 2.14"),
        pytest.param({"msg": f"Task failed: {UNDEFINED}"}, UNDEFINED, id="an undefined variable, 2.19"),
        pytest.param({"msg": "Assertion failed", "assertion": "'a' == 'b'", "evaluated_to": False}, "the assertion is false: 'a' == 'b'", id="assert"),
        pytest.param({"msg": "no b", "assertion": "a == 'b'"}, "no b (assertion: a == 'b')", id="assert with a message"),
        pytest.param(
            {"msg": f"{APT}{DPKG}", "rc": 100, "stderr": DPKG, "stdout": "Reading package lists..."},
            "dpkg: error processing package foo (--configure): installed foo package post-installation script subprocess returned error exit status 1",
            id="apt: a package script",
        ),
        pytest.param(
            {"msg": f"{APT}{FETCH}", "rc": 100, "stderr": FETCH, "stdout": ""},
            "E: Failed to fetch http://mirror.example.org/foo.deb 404 Not Found",
            id="apt: a missing file",
        ),
        pytest.param({"msg": "Failed to lock apt", "rc": 100, "stderr": "E: x"}, "Failed to lock apt", id="apt: a message of its own"),
    ],
)
def test_the_message_says_why(values: dict[str, Any], message: str) -> None:
    assert _message(values, failed_when=[]) == message


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    message = _message({"msg": f"begin {'x' * 10_000_000} end"})
    assert (message.startswith("begin x"), message.endswith("x end"), len(message)) == (True, True, 500)


@pytest.mark.parametrize(
    ("values", "condition", "message"),
    [
        pytest.param({"rc": 0, "msg": "", "stdout": "hello"}, ["'hello' in x.stdout"], "hello (failed_when: 'hello' in x.stdout)", id="exit status 0"),
        pytest.param({"msg": "ok"}, ["a", "b"], "ok (failed_when: a and b)", id="two conditions"),
        pytest.param({}, [True], "no message (failed_when: True)", id="no message"),
    ],
)
def test_a_condition_of_failed_when_is_named(values: dict[str, Any], condition: list[Any], message: str) -> None:
    assert _message({**values, "failed_when_result": True}, failed_when=condition) == message


LABELLED = {"item": {"name": "two", "password": "secret"}, "ansible_loop_var": "item"}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        pytest.param([{"item": 1, "failed": False}, {**SWAPON, "item": 2, "failed": True}], f"item 2: {SWAPON['stderr']} (exit status 255)", id="one item"),
        pytest.param([{"failed": True, "msg": "x", "pkg": "a", "ansible_loop_var": "pkg"}], "item a: x", id="loop_var"),
        pytest.param([{"failed": True, "msg": "x", "_ansible_item_label": "l", **LABELLED}], "item l: x", id="a label"),
        pytest.param([{"failed": True, "msg": "x", **LABELLED}], "item two: x", id="a mapping with a name"),
        pytest.param([{"failed": True, "msg": "x", "item": "i" * 1000}], f"item {'i' * 97}...: x", id="a long item"),
        pytest.param([{"unreachable": True, "msg": "x", "item": "\x1b"}], r"item \x1b: x", id="an unreachable image"),
        pytest.param([{"failed": True, "msg": "x", "item": n} for n in range(3)], "item 0: x (and 2 more items)", id="three items"),
        pytest.param([{**CENSORED, "failed": True, "item": "secret"}] * 2, "the output is hidden by no_log", id="hidden items"),
    ],
)
def test_a_failed_item_is_named(items: list[dict[str, Any]], message: str) -> None:
    assert _message({"msg": "One or more items failed", "results": items}, failed_when=[]) == message


def test_the_item_of_an_include_is_named() -> None:
    outer = SimpleNamespace(vars={"_ansible_item_label": "sid", "item": "sid"}, no_log=False, _parent=None)
    include = SimpleNamespace(vars={"_ansible_item_label": "\x1b", "entry": "e"}, no_log=False, _parent=SimpleNamespace(_parent=outer, vars={}))
    assert _message({"msg": "x"}, _parent=include) == r"item sid: item \x1b: x"
    include.no_log = True
    assert _message({"msg": "x"}, _parent=include) == "item sid: x"


@pytest.mark.parametrize(
    ("values", "task"),
    [
        pytest.param(CENSORED, {}, id="a censored result"),
        pytest.param({**SWAPON, "_ansible_no_log": True}, {}, id="a result with the mark"),
        pytest.param(SWAPON, {"no_log": True}, id="a task with no_log"),
    ],
)
def test_no_log_hides_all_output(values: dict[str, Any], task: dict[str, Any]) -> None:
    found = failure(_result({**values, "stderr": "secret\nsecret", "msg": "secret"}, **task))
    assert found == {"task": "Install", "msg": "the output is hidden by no_log", "path": "", "lines": []}


def test_the_task_is_named_with_file_and_line() -> None:
    found = failure(SimpleNamespace(task_name="\x1b]0;x\x07\n\u202e", _result={"msg": "x"}, _task=SimpleNamespace(get_path=lambda: "/etc/a\n.yml:15")))
    assert (found["task"], found["path"]) == (r"\x1b]0;x\x07 \u202e", "/etc/a .yml:15")


def test_the_last_lines_of_the_output_are_kept() -> None:
    found = failure(_result({**SWAPON, "stderr": "\n".join(f"line {n}\x1b" for n in range(9))}))
    assert found["lines"] == [rf"line {n}\x1b" for n in range(4, 9)]
    # One line is the message already.
    assert failure(_result(SWAPON))["lines"] == []


def _block(above: Any, **parts: list[Any]) -> Any:
    block = SimpleNamespace(_parent=above, _uuid=str(id(parts)), block=[], rescue=[], always=[])
    vars(block).update(parts)
    for tasks in parts.values():
        for task in tasks:
            task._parent = block
    return block


def test_a_failure_in_a_block_with_rescue_is_none() -> None:
    tried, rescuing, after, plain = (SimpleNamespace(_uuid=name) for name in "abcd")
    inner = _block(None, block=[tried], rescue=[rescuing], always=[after])
    assert [rescued(task) for task in (tried, rescuing, after)] == [True, False, False]
    _block(None, block=[inner], rescue=[plain])
    assert [rescued(task) for task in (tried, rescuing, after, plain)] == [True, True, True, False]
    # A block without rescue rescues nothing.
    _block(None, block=[plain], rescue=[])
    assert rescued(plain) is False

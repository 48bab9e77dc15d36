# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

pytest.importorskip("ansible", reason="the options are those of ansible-playbook")

from ansible_collections.nspawn.runner.plugins.module_utils._create.bootstrap import BROKEN_ARCHIVE_REASON
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import inner_run
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import VARIABLE, Inner

IMAGE = Image("aa", "/srv", "/srv/aa", "/etc/nspawn-runner/aa.yml")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inner_run, "_ansible_playbook", lambda: ["ansible-playbook"])
    monkeypatch.setattr(inner_run.C, "DEFAULT_VERBOSITY", 0)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        pytest.param({}, [], id="no option"),
        pytest.param({"inventory": ("/a", "/b,")}, ["--inventory", "/a", "--inventory", "/b,"], id="each inventory"),
        pytest.param(
            {"extra_vars": ("a=1", "@/b.yml", "c='d e'")}, ["--extra-vars", "a=1", "--extra-vars", "@/b.yml", "--extra-vars", "c='d e'"], id="extra vars"
        ),
        pytest.param({"extra_vars": ("-x",)}, ["--extra-vars", "-x"], id="a value that begins like an option"),
        pytest.param({"check": True, "diff": True}, ["--check", "--diff"], id="switches"),
        pytest.param({"check": False, "diff": None, "inventory": None}, [], id="switches that are off"),
        pytest.param({"forks": 5, "remote_user": "root"}, ["--forks", "5", "--user", "root"], id="values"),
        pytest.param({"timeout": 0}, ["--timeout", "0"], id="a zero is a value"),
        pytest.param({"tags": ["all"]}, [], id="all tags"),
        pytest.param({"tags": ["b", "a"], "skip_tags": ["c"]}, ["--tags", "a,b", "--skip-tags", "c"], id="some tags"),
        pytest.param({"tags": ["all", "never"]}, ["--tags", "all,never"], id="all tags and one more"),
        pytest.param({"verbosity": 3}, ["-vvv"], id="verbosity"),
        pytest.param({"vault_ids": ["lab@/x"], "vault_password_files": ["/y"]}, ["--vault-id", "lab@/x", "--vault-password-file", "/y"], id="vaults"),
        pytest.param({"subset": "other", "listtasks": True, "start_at_task": "x"}, [], id="options of the outer run alone"),
    ],
)
def test_the_images_run_gets_the_outer_runs_options(program: None, options: dict[str, Any], arguments: list[str]) -> None:
    argv = inner_run.inner_argv(IMAGE, options)
    assert argv == ["ansible-playbook", "--limit", "aa", *arguments, "/etc/nspawn-runner/aa.yml"]


@pytest.mark.parametrize(("verbosity", "arguments"), [(0, []), (2, []), (3, ["-v"]), (5, ["-vvv"])])
def test_verbosity_counts_from_the_configured_one(program: None, monkeypatch: pytest.MonkeyPatch, verbosity: int, arguments: list[str]) -> None:
    monkeypatch.setattr(inner_run.C, "DEFAULT_VERBOSITY", 2)
    assert inner_run.inner_argv(IMAGE, {"verbosity": verbosity})[3:-1] == arguments


@pytest.mark.parametrize(("name", "flag"), [*inner_run._LISTS.items()])
def test_an_option_that_can_be_given_twice_is_passed_on_twice(program: None, name: str, flag: str) -> None:
    assert inner_run.inner_argv(IMAGE, {name: ["1", "2"]})[3:-1] == [flag, "1", flag, "2"]


@pytest.mark.parametrize(("name", "flag"), [*inner_run._VALUES.items()])
def test_an_option_with_a_value_is_passed_on(program: None, name: str, flag: str) -> None:
    assert inner_run.inner_argv(IMAGE, {name: "value"})[3:-1] == [flag, "value"]


def _program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_the_same_ansible_playbook_runs_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = _program(tmp_path / "ansible-playbook")
    monkeypatch.setattr(sys, "argv", [program, "site.yml"])
    assert inner_run._ansible_playbook() == [sys.executable, program]


def test_under_another_program_the_one_beside_python_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = _program(tmp_path / "venv/bin/ansible-playbook")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/bin/python3"))
    monkeypatch.setattr(sys, "argv", ["/usr/bin/ansible-pull"])
    assert inner_run._ansible_playbook() == [sys.executable, program]


def test_at_last_the_one_on_path_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = _program(tmp_path / "path/ansible-playbook")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/bin/python3"))
    monkeypatch.setattr(sys, "argv", ["/usr/bin/navigator"])
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert inner_run._ansible_playbook() == [program]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunnerError, match="ansible-playbook"):
        inner_run._ansible_playbook()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ask_pass": False, "vault_ids": ["lab@/nonexistent"], "become_password_file": None},
        {"vault_ids": ["prompt@/etc/hostname"]},
        {"vault_password_files": ["/dev/../etc/os-release"]},
    ],
)
def test_options_that_an_images_run_can_have(options: dict[str, Any]) -> None:
    inner_run.check_options(options)


@pytest.mark.parametrize(
    ("options", "flag", "instead"),
    [
        ({"ask_pass": True}, "--ask-pass", "--connection-password-file"),
        ({"become_ask_pass": True}, "--ask-become-pass", "--become-password-file"),
        ({"ask_vault_pass": True}, "--ask-vault-pass", "--vault-password-file"),
        ({"vault_ids": ["lab@prompt"]}, "--vault-id lab@prompt", "--vault-password-file"),
        ({"vault_ids": ["prompt"]}, "--vault-id prompt", "--vault-password-file"),
        ({"vault_ids": ["a@b@prompt_ask_vault_pass"]}, "--vault-id a@b@prompt_ask_vault_pass", "--vault-password-file"),
    ],
)
def test_an_option_that_asks_at_the_terminal_is_refused(options: dict[str, Any], flag: str, instead: str) -> None:
    with pytest.raises(RunnerError) as error:
        inner_run.check_options(options)
    assert flag in error.value.found
    assert str(error.value).endswith(instead)


def test_a_configured_vault_that_asks_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inner_run.C, "DEFAULT_VAULT_IDENTITY_LIST", ["lab@prompt"])
    with pytest.raises(RunnerError, match="lab@prompt"):
        inner_run.check_options({})


@pytest.mark.parametrize(
    "option",
    ["become_password_file", "connection_password_file", "vault_password_files", "vault_ids"],
)
def test_a_password_file_that_can_be_read_once_is_refused(tmp_path: Path, option: str) -> None:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    value: Any = {"vault_password_files": [path], "vault_ids": [f"lab@{path}"]}.get(option, path)
    with pytest.raises(RunnerError) as error:
        inner_run.check_options({option: value})
    assert path in error.value.found


def test_the_images_run_is_told_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setattr(inner_run.C, "CALLBACKS_ENABLED", ["timer"])
    monkeypatch.setattr(inner_run.C, "COLLECTIONS_PATHS", ["/a"])
    monkeypatch.setattr(inner_run.C, "CONFIG_FILE", "/etc/ansible.cfg")
    environment = inner_run.inner_environment(Inner("aa", "/srv/aa", "/srv/staged", "/result", {}))
    assert environment["KEPT"] == "1"
    assert environment["ANSIBLE_CALLBACKS_ENABLED"] == "timer,nspawn.runner.inner_result"
    assert environment["ANSIBLE_COLLECTIONS_PATH"] == f"{inner_run.COLLECTIONS}:/a"
    assert environment["ANSIBLE_CONFIG"] == "/etc/ansible.cfg"
    assert json.loads(environment[VARIABLE])["tree"] == "/srv/staged"


def test_the_images_run_prints_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    # As ansible-navigator sets them.
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "awx_display")
    monkeypatch.setenv("ANSIBLE_FORCE_COLOR", "1")
    environment = inner_run.inner_environment(Inner("aa", "/srv/aa", "/srv/staged", "/result", {}))
    names = ("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_FORCE_COLOR", "ANSIBLE_NOCOLOR")
    assert [environment[name] for name in names] == ["ansible.builtin.default", "0", "1"]


def test_a_configured_collections_path_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANSIBLE_COLLECTIONS_PATH", raising=False)
    monkeypatch.setattr(inner_run.C, "COLLECTIONS_PATHS", [inner_run.COLLECTIONS])
    assert "ANSIBLE_COLLECTIONS_PATH" not in inner_run.inner_environment(Inner("aa", "/srv/aa", "/srv/staged", "/result", {}))


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        pytest.param(2, "exit status 2", id="a failure"),
        pytest.param(-9, "signal SIGKILL", id="a signal to the guarded command"),
        pytest.param(137, "signal SIGKILL", id="a signal that the shell reports"),
        pytest.param(143, "signal SIGTERM", id="another signal"),
        pytest.param(128, "exit status 128", id="no signal"),
        pytest.param(255, "exit status 255", id="no signal has that number"),
        pytest.param(250, "exit status 250", id="Ansible's own status for an unexpected error"),
    ],
)
def test_ending(status: int, ending: str) -> None:
    assert inner_run._ending(status).endswith(ending)


def _list(monkeypatch: pytest.MonkeyPatch, status: int, output: list[str], told: list[str] | None = None) -> list[str]:
    """Checks a playbook of which ansible-playbook lists this, and returns the command."""
    commands: list[list[str]] = []

    def run(argv: list[str], environment: dict[str, str], log: Any) -> int:
        commands.append(argv)
        for line in output:
            log(line.encode())
        return status

    monkeypatch.setattr(inner_run, "run", run)
    inner_run.check_plays(IMAGE, {}, {}, (told if told is not None else []).append)
    return commands[0]


def _play(number: int, pattern: str, *hosts: str) -> list[str]:
    listed = [f"      {host}" for host in hosts]
    return [f"  play #{number} (x): name\tTAGS: []", f"    pattern: {pattern}", f"    hosts ({len(hosts)}):", *listed]


@pytest.mark.parametrize(
    ("status", "output"),
    [
        pytest.param(0, ["", "playbook: aa.yml", *_play(1, "['localhost']"), *_play(2, "['all']", "aa")], id="one of its plays matches"),
        pytest.param(4, ["ERROR! 'x' is undefined"], id="a value that only an earlier play sets"),
        pytest.param(4, ["[ERROR]: Error processing keyword 'hosts': object of type 'HostVarsVars' has no attribute 'x'"], id="the same, since 2.19"),
        pytest.param(1, ["Killed"], id="no error of Ansible"),
    ],
)
def test_a_playbook_that_may_run_in_a_new_tree(program: None, monkeypatch: pytest.MonkeyPatch, status: int, output: list[str]) -> None:
    told: list[str] = []
    argv = _list(monkeypatch, status, output, told)
    assert argv == ["ansible-playbook", "--limit", "aa", "--list-hosts", IMAGE.playbook]
    assert told == []


@pytest.mark.parametrize(
    ("status", "output", "words"),
    [
        pytest.param(0, [*_play(1, "['db', 'web']"), *_play(2, "['x*']")], ["matches aa", "(hosts of its plays: db, web; x*)", "hosts: aa"], id="no play"),
        pytest.param(0, ["", "playbook: aa.yml"], ["(hosts of its plays: none)"], id="no play at all"),
        pytest.param(4, ["[WARNING]: x", "ERROR! the role 'x' was not found"], ["aa.yml cannot run", ": the role 'x' was not found"], id="a missing role"),
        pytest.param(4, ["[ERROR]: no module '\x1b[2J'"], [r"no module '\x1b[2J'"], id="no control character"),
    ],
)
def test_a_playbook_that_cannot_run_is_refused(program: None, monkeypatch: pytest.MonkeyPatch, status: int, output: list[str], words: list[str]) -> None:
    told: list[str] = []
    with pytest.raises(RunnerError) as error:
        _list(monkeypatch, status, output, told)
    assert [word for word in words if word not in str(error.value)] == []
    assert bool(told) == bool(status)


FINE = {"plays": ["all"], "ended": 1, "unmatched": [], "failure": None, "stats": {"aa": {"changed": 3}}}


def _outcome(tmp_path: Path, result: dict[str, Any] | None, status: int = 0, errors: list[str] | None = None) -> inner_run.Outcome:
    path = tmp_path / "inner-result.json"
    if result is not None:
        path.write_text(json.dumps(result))
    return inner_run.outcome(IMAGE, status, str(path), "/srv/last.log", errors or [])


@pytest.mark.parametrize(
    ("result", "changed"),
    [
        pytest.param(FINE, 3, id="changed tasks"),
        pytest.param({**FINE, "stats": {"aa": {}}}, 0, id="no changed task"),
        pytest.param({**FINE, "stats": {"localhost": {"changed": 5}}}, 0, id="changes of another host do not count"),
        pytest.param({**FINE, "failure": {"task": "t", "msg": "m"}}, 3, id="a failure that was rescued"),
    ],
)
def test_an_outcome_is_the_number_of_changed_tasks(tmp_path: Path, result: dict[str, Any], changed: int) -> None:
    assert _outcome(tmp_path, result) == (changed, [])


def _play(hosts: str, *missing: str, nearest: str = "") -> dict[str, Any]:
    return {"hosts": hosts, "path": "/etc/nspawn-runner/aa.yml:9", "missing": [*missing], "nearest": nearest}


def test_an_outcome_names_the_hosts_of_plays_for_others(tmp_path: Path) -> None:
    result = {**FINE, "plays": ["aa", "all"], "ended": 2, "unmatched": [_play("db"), _play("localhost"), _play("db")]}
    assert _outcome(tmp_path, result) == (3, ["db", "localhost"])


@pytest.mark.parametrize(
    ("result", "status", "errors", "words", "changed"),
    [
        pytest.param(None, 1, [], ["exit status 1", "before its end", IMAGE.playbook], 0, id="no result"),
        pytest.param(None, 137, [], ["SIGKILL", "before its end"], 0, id="a killed run"),
        pytest.param(None, 4, ["ERROR! 'taks' is not a valid attribute", "in /a.yml"], ["exit status 4", "'taks'", " in /a.yml"], 0, id="an error of Ansible"),
        pytest.param(None, 4, ["ERROR! no", "Could not find or access '/b.yml'"], ["/b.yml", "write this file", IMAGE.playbook], 0, id="a missing file"),
        pytest.param(None, 1, ["ERROR! Attempting to decrypt but no vault secrets found"], ["--vault-password-file"], 0, id="a secret without a password"),
        pytest.param({**FINE, "failure": {"task": "Install", "msg": "No package"}}, 2, [], ["'Install'", "No package"], 3, id="a failed task"),
        pytest.param(
            {**FINE, "failure": {"task": "Swap", "msg": "swapon: x", "path": "/etc/aa.yml:7", "lines": ["bb | a", "swapon: x"]}},
            2,
            [],
            ["task 'Swap' in /etc/aa.yml:7 failed: swapon: x (all output: /srv/last.log)\n    bb | a\n    swapon: x"],
            3,
            id="a failed task with lines of its output",
        ),
        pytest.param({**FINE, "stats": {"aa": {"failures": 1, "changed": 2}}}, 0, [], ["exit status 0"], 2, id="failures in spite of exit status 0"),
        pytest.param({**FINE, "stats": {"aa": {"unreachable": 1}}}, 4, [], ["exit status 4"], 0, id="an unreachable image"),
        pytest.param(
            {**FINE, "failure": {"task": "Login", "msg": "Attempting to decrypt but no vault secrets found."}},
            2,
            [],
            ["'Login'", "no vault secrets found: give --vault-password-file"],
            3,
            id="a secret without a password, in a task",
        ),
        pytest.param(
            {**FINE, "failure": {"task": "Upgrade", "msg": "E: you have held broken packages."}},
            2,
            [],
            ["'Upgrade'", "held broken packages", BROKEN_ARCHIVE_REASON],
            3,
            id="an archive in the middle of an update",
        ),
        pytest.param(
            {**FINE, "plays": [], "ended": 0, "unmatched": [_play("bullseye", "bullseye"), _play("localhost")]},
            0,
            [],
            ["bullseye; localhost", "hosts: aa"],
            0,
            id="no play",
        ),
        pytest.param(
            {**FINE, "unmatched": [_play("localhost"), _play("aaa,&dbb", "aaa", "dbb", nearest="aa")]},
            0,
            [],
            ["aa.yml:9: the inventory has no host and no group aaa or dbb; the nearest known name is aa: correct hosts"],
            3,
            id="a play with a misspelt name",
        ),
        pytest.param({**FINE, "unmatched": [_play("zz", "zz")]}, 0, [], ["no group zz: correct hosts"], 3, id="a play for an unknown host"),
        pytest.param({**FINE, "plays": [], "ended": 0}, 0, [], ["none", "hosts: aa"], 0, id="no play at all"),
        pytest.param({**FINE, "unmatched": ["x" * (4 << 20)]}, 0, [], ["larger than 4 MiB", "fewer plays"], 0, id="a result without an end"),
        pytest.param({**FINE, "plays": ["all", "aa"]}, 0, [], ["before its last task", "end_host"], 3, id="a play that ended early"),
    ],
)
def test_a_run_that_did_not_do_all_of_its_playbook(
    tmp_path: Path, result: dict[str, Any] | None, status: int, errors: list[str], words: list[str], changed: int
) -> None:
    with pytest.raises(inner_run.RunError) as error:
        _outcome(tmp_path, result, status, errors)
    assert [word for word in [*words, "/srv/last.log"] if word not in str(error.value)] == []
    assert error.value.tasks_changed == changed


def test_a_full_disk_explains_a_missing_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    replace_os(monkeypatch, inner_run.files, statvfs=lambda path: SimpleNamespace(f_bavail=3))
    with pytest.raises(inner_run.RunError) as error:
        _outcome(tmp_path, None, 1)
    assert f"{tmp_path} is full (No space left on device): free some space there" in str(error.value)


@pytest.mark.parametrize(
    ("result", "status", "errors", "words"),
    [
        pytest.param(None, 4, ["ERROR! Unable to create local directories"], ["local directories, since"], id="an error of Ansible"),
        pytest.param({**FINE, "stats": {"aa": {"unreachable": 1}}}, 4, [], ["ended with exit status 4, since"], id="no container"),
        pytest.param({**FINE, "failure": {"task": "t", "msg": "cannot write"}}, 2, [], ["'t' failed: cannot write, since"], id="a task"),
    ],
)
def test_a_file_system_without_inodes_explains_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: dict[str, Any] | None, status: int, errors: list[str], words: list[str]
) -> None:
    temporary = str(inner_run.C.DEFAULT_LOCAL_TMP)
    space = {temporary: SimpleNamespace(f_bavail=500, f_files=100, f_favail=0)}
    replace_os(monkeypatch, inner_run.files, statvfs=lambda path: space.get(path, SimpleNamespace(f_bavail=500, f_files=0, f_favail=0)))
    with pytest.raises(inner_run.RunError) as error:
        _outcome(tmp_path, result, status, errors)
    assert words[-1] in str(error.value)
    assert f"the file system of {temporary} has no free inodes (No space left on device)" in str(error.value)


def test_run_passes_each_line_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[bytes] = []
    monkeypatch.setattr(inner_run, "guarded", lambda argv: argv)
    status = inner_run.run(["/bin/sh", "-c", 'echo out; echo "$A" >&2; exit 3'], {"A": "1"}, lines.append)
    assert (status, lines) == (3, [b"out", b"1"])


def test_a_line_without_an_end_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[bytes] = []
    monkeypatch.setattr(inner_run, "guarded", lambda argv: argv)
    inner_run.run(["/bin/sh", "-c", "head --bytes=1000000 /dev/zero"], {"PATH": "/usr/bin:/bin"}, lines.append)
    assert max(map(len, lines)) == inner_run._LINE
    assert sum(map(len, lines)) == 1000000


def test_run_tells_the_signal_that_ended_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inner_run, "guarded", lambda argv: argv)
    assert inner_run.run(["/bin/sh", "-c", "kill -TERM $$"], {}, lambda line: None) == 143

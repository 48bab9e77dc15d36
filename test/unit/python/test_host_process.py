# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from module_os import replace_os

from ansible_collections.nspawn.runner.plugins.module_utils._host import process
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import LINE_LENGTH


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        pytest.param(b"", [], id="no output has no line"),
        pytest.param(b"a\nb\n", ["a", "b"], id="complete lines"),
        pytest.param(b"a\nb", ["a", "b"], id="a last line without a line feed"),
        pytest.param(b"a\n\nb\n", ["a", "", "b"], id="an empty line is a line"),
        pytest.param(b"1%\r2%\r3%\nend\n", ["3%", "end"], id="a progress line"),
        pytest.param(b"x" * 9000 + b"end", ["x" * (LINE_LENGTH - 3) + "end"], id="of an endless line the end"),
    ],
)
def test_lines_of_a_pipe(output: bytes, lines: list[str]) -> None:
    reader, writer = os.pipe()
    os.write(writer, output)
    os.close(writer)
    try:
        assert list(process._lines(reader)) == lines
    finally:
        os.close(reader)


def test_a_line_is_passed_on_before_the_program_ends() -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"first\nsec")
        lines = process._lines(reader)
        assert next(lines) == "first"
        os.write(writer, b"ond\n")
        assert next(lines) == "second"
    finally:
        os.close(writer)
        os.close(reader)


def test_run_gives_status_and_output_of_both_streams() -> None:
    lines: list[str] = []
    assert process.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], log=lines.append) == (3, ["out", "err"])
    assert lines == ["out", "err"]


def test_run_keeps_the_last_lines_only() -> None:
    lines: list[str] = []
    status, tail = process.run(["/bin/sh", "-c", f"seq {process.TAIL_LINES + 5}"], log=lines.append)
    assert (status, len(lines), tail) == (0, process.TAIL_LINES + 5, [str(n) for n in range(6, process.TAIL_LINES + 6)])


def test_run_gives_each_program_the_same_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", "/usr/bin")
    script = 'pwd; umask; echo "$LC_ALL $EXTRA"; echo "$PATH"; cat'
    _status, tail = process.run(["/bin/sh", "-c", script], environment={"EXTRA": "1"})
    assert tail == ["/", "0022", "C 1", f"/usr/bin:{process.SYSTEM_PATH}"]


def test_run_takes_variables_that_are_not_inherited_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("http_proxy", "http://proxy.example.org")
    _status, tail = process.run(["/usr/bin/env"], environment={"EXTRA": "1"}, inherited=("http_proxy", "no_proxy"))
    assert sorted(line.split("=")[0] for line in tail) == ["EXTRA", "LC_ALL", "PATH", "http_proxy"]


def test_run_without_path_searches_the_system_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    # A leading colon would mean the current directory.
    monkeypatch.delenv("PATH")
    assert process.run(["/bin/sh", "-c", 'echo "$PATH"'])[1] == [process.SYSTEM_PATH]


def test_run_kills_the_program_when_a_line_cannot_be_taken() -> None:
    def refuse(line: str) -> None:
        raise BrokenPipeError(line)

    with pytest.raises(BrokenPipeError, match="first"):
        process.run(["/bin/sh", "-c", "echo first; exec sleep 600"], log=refuse)


def _program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_find_program_prefers_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = _program(tmp_path / "bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert process.find_program("sh") == program


def test_find_program_knows_the_system_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = _program(tmp_path / "sbin/debootstrap")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(process, "SYSTEM_PATH", str(tmp_path / "sbin"))
    assert process.find_program("debootstrap") == program


@pytest.mark.parametrize("path", ["", None])
def test_find_program_without_path_does_not_search_the_current_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str | None) -> None:
    _program(tmp_path / "debootstrap")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PATH")
    if path is not None:
        monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(process, "SYSTEM_PATH", "/nonexistent")
    assert process.find_program("debootstrap") is None


def test_find_program_ignores_a_file_that_cannot_be_executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "program").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(process, "SYSTEM_PATH", "/nonexistent")
    assert process.find_program("program") is None


def test_a_guarded_command_dies_with_the_process_that_starts_it() -> None:
    argv = process.guarded(["program", "--", "argument"])
    assert argv[-3:] == ["program", "--", "argument"]
    assert argv[:4] == ["setpriv", "--pdeathsig", "KILL", "--"]
    unshare = argv[argv.index("unshare") : -3]
    assert {"--mount", "--pid", "--fork", "--kill-child"} <= {*unshare}
    assert unshare[-1] == "--"


@pytest.mark.parametrize(
    ("parent", "output"),
    [
        pytest.param(None, "started\n", id="the parent lives"),
        pytest.param("1", "", id="the parent died before setpriv asked for the signal"),
    ],
)
def test_a_guarded_command_starts_under_the_right_parent_only(parent: str | None, output: str) -> None:
    argv = process.guarded([])
    shell = argv[argv.index("/bin/sh") : argv.index("unshare")]
    command = [*shell[:-1], parent or shell[-1], "echo", "started"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == output


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        pytest.param([b"/usr/bin/python3", b"/usr/bin/ansible-playbook", b"site.yml"], True, id="a script of Python"),
        pytest.param([b"ansible-pull"], True, id="a program without an interpreter"),
        pytest.param([b"/usr/bin/python3", b"-u", b"/usr/bin/ansible"], True, id="with one option of Python"),
        pytest.param([b"vim", b"-R", b"-n", b"/etc/ansible"], False, id="a later argument"),
        pytest.param([b"/opt/ansible/bin/python3", b"-c", b"pass"], False, id="a directory of that name"),
        pytest.param([b"sshd: root@notty"], False, id="a login"),
        pytest.param([b""], False, id="a kernel thread"),
    ],
)
def test_is_ansible(command_line: list[bytes], expected: bool) -> None:
    assert process._is_ansible(command_line) is expected


# Process id: command line, name, parent.
Processes = dict[int, tuple[bytes, bytes, int]]


def _show_processes(monkeypatch: pytest.MonkeyPatch, processes: Processes) -> None:
    def fake_open(path: str, mode: str) -> Any:
        _empty, _proc, pid, file = path.split("/")
        if int(pid) not in processes:
            raise FileNotFoundError(path)
        command_line, name, parent = processes[int(pid)]
        return io.BytesIO(command_line if file == "cmdline" else b"%s (%s) S %d 1 1 0" % (pid.encode(), name, parent))

    monkeypatch.setattr(process, "open", fake_open, raising=False)
    replace_os(monkeypatch, process, getppid=lambda: 50)


MAIN = (b"python3\0/usr/bin/ansible-playbook\0site.yml\0", b"ansible-playboo", 20)


@pytest.mark.parametrize(
    ("processes", "ancestors"),
    [
        pytest.param(
            {50: (b"/bin/sh\0-c\0python3 x\0", b"sh", 40), 40: (*MAIN[:2], 30), 30: MAIN, 20: (b"bash\0", b"bash", 1)},
            [50, 40, 30],
            id="a shell and a worker up to the main process",
        ),
        pytest.param({50: (b"sh\0", b"sh", 40), 40: (b"sshd\0", b"sshd", 1)}, [], id="over SSH none"),
        pytest.param({50: (b"sh\0", b"a) S 7 (b", 40), 40: (*MAIN[:2], 1)}, [50, 40], id="a name with parentheses"),
        pytest.param({50: (*MAIN[:2], 40)}, [50], id="a process that has ended meanwhile"),
        pytest.param(
            {50: MAIN, 20: (b"bash\0", b"bash", 10), 10: (b"python3\0ansible-pull\0", b"ansible-pull", 1)},
            [50, 20, 10],
            id="an ansible command that runs another",
        ),
    ],
)
def test_ancestors(monkeypatch: pytest.MonkeyPatch, processes: Processes, ancestors: list[int]) -> None:
    _show_processes(monkeypatch, processes)
    assert process._ancestors() == ancestors


@pytest.mark.parametrize(("is_parent", "ending"), [(True, "exit"), (False, "KILL")])
def test_a_process_whose_parent_has_ended_ends_at_once(is_parent: bool, ending: str) -> None:
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            process.die_with_parent(parent if is_parent else parent + 1)
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) == (ending == "KILL")
    assert not is_parent or os.WEXITSTATUS(status) == 0
    assert is_parent or os.WTERMSIG(status) == signal.SIGKILL

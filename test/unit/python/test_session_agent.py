# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The parts of the agent that need no container.

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._session import agent
from ansible_collections.nspawn.runner.plugins.module_utils._session.exchange import frame

BASIC = b"# code of Ansible\n" * 20


def _agent(archive_code: set[int] | None = None, **checksums: int) -> agent.Agent:
    return agent.Agent({}, {name.replace("__", "/") + ".py": checksum for name, checksum in checksums.items()}, -1, archive_code or set())


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"end": True}, id="an end"),
        pytest.param({"command": ["/bin/sh", "-c", "grün"]}, id="text that is not ASCII"),
        pytest.param({"put": "/\udcff", "command": ["x" * 200_000]}, id="more than a block"),
    ],
)
def test_a_request_is_received_as_it_was_framed(pair: tuple[socket.socket, socket.socket], request_: dict[str, Any]) -> None:
    data = frame(request_)
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    ours.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [0, 1, 2]))])
    received = agent._receive(theirs)
    assert received is not None
    assert received[0] == request_
    assert len(received[1]) == 3
    assert not any(os.get_inheritable(descriptor) for descriptor in received[1])
    for descriptor in received[1]:
        os.close(descriptor)


@pytest.mark.parametrize("size", [0, 3, 4, 10])
def test_a_request_that_is_cut_short_is_none(pair: tuple[socket.socket, socket.socket], size: int) -> None:
    ours, theirs = pair
    ours.sendall(frame({"command": ["x"]})[:size])
    ours.close()
    assert agent._receive(theirs) is None


@pytest.mark.parametrize(("text", "data"), [("/a", b"/a"), ("grün", "grün".encode()), ("\udcff", b"\xff")])
def test_a_path_becomes_the_bytes_that_it_was(text: str, data: bytes) -> None:
    assert agent._bytes(json.loads(json.dumps(text))) == data


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_is_copied_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(b"x" * size)
    target = os.open(tmp_path / "target", os.O_WRONLY | os.O_CREAT)
    with open(tmp_path / "source", "rb") as source:
        agent._copy_file(source.fileno(), target)
    assert (tmp_path / "target").read_bytes() == b"x" * size
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(target)


def test_a_replaced_file_is_noticed(tmp_path: Path) -> None:
    path = str(tmp_path / "libx.so")
    Path(path).write_text("old")
    libraries = {path: agent._identity(path), str(tmp_path / "none"): None}
    assert not agent._replaced(libraries)
    Path(f"{path}.new").write_text("new")
    os.replace(f"{path}.new", path)
    assert agent._replaced(libraries)


@pytest.mark.parametrize("change", ["removed", "added", "a new time"])
def test_a_change_of_a_directory_of_modules_is_noticed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "dist-packages"
    if change != "added":
        path.mkdir()
    libraries = {str(path): agent._identity(str(path))}
    if change == "added":
        path.mkdir()
    elif change == "removed":
        path.rmdir()
    else:
        os.utime(path, ns=(0, 0))
    assert agent._replaced(libraries)


def test_the_files_of_this_python_are_known() -> None:
    libraries = agent._libraries()
    assert any("libc" in path for path in libraries)
    assert not any(path.startswith(("/memfd:", "/dev/")) or "(deleted)" in path for path in libraries)
    assert all(path in libraries for path in sys.path if path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("PYTHON", True, id="the path of this Python"),
        pytest.param("BESIDE", True, id="another name in the same directory"),
        pytest.param("ELSEWHERE", False, id="a link in another directory: a virtual environment"),
        pytest.param("/bin/sh", False, id="another program"),
        pytest.param("/none/python3", False, id="missing"),
        pytest.param("no-such-python", False, id="not on PATH"),
    ],
)
def test_is_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, expected: bool) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "venv").mkdir()
    program = tmp_path / "bin/python3.11"
    program.write_text("")
    program.chmod(0o755)
    (tmp_path / "bin/python3").symlink_to("python3.11")
    (tmp_path / "venv/python3").symlink_to(program)
    monkeypatch.setattr(agent.sys, "executable", str(program))
    paths = {"PYTHON": program, "BESIDE": tmp_path / "bin/python3", "ELSEWHERE": tmp_path / "venv/python3"}
    assert agent._is_this_python(str(paths.get(path, path))) is expected


def _program(files: dict[str, bytes]) -> bytes:
    """A task's program as Ansible makes it, with module code in base64."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return b'ZIPDATA = """%s"""' % b"" + b"\nZIPDATA = '%s'\n" % base64.b64encode(memory.getvalue())


SAME = {"ansible/module_utils/basic.py": BASIC, "ansible/module_utils/__init__.py": b"made again", "ansible/modules/ping.py": b"other"}


@pytest.mark.parametrize(
    ("source", "same"),
    [
        pytest.param(_program(SAME), True, id="the archive's code"),
        pytest.param(_program({**SAME, "ansible/module_utils/basic.py": b"changed" * 9}), False, id="another version"),
        pytest.param(_program({**SAME, "ansible/module_utils/mine.py": b"mine"}), False, id="a file that the archive has not"),
        pytest.param(_program({"ansible/modules/ping.py": b"other" * 40}), True, id="no module code"),
        pytest.param(b"print('hello')", False, id="a program without an archive"),
        pytest.param(b"x = 'UEsDB'", False, id="a text that only begins like one"),
    ],
)
def test_module_code_is_compared_with_the_archive(source: bytes, same: bool) -> None:
    checksum, result = agent._is_archive_code(source, _agent(ansible__module_utils__basic=zlib.crc32(BASIC)))
    assert result is same
    assert bool(checksum) == (b"UEsDBB" in source)


def test_module_code_that_is_known_is_not_unpacked_again() -> None:
    source = _program({"ansible/module_utils/basic.py": b"never compared" * 9})
    checksum = agent._is_archive_code(source, _agent())[0]
    assert agent._is_archive_code(source, _agent(archive_code={checksum})) == (checksum, True)


@pytest.mark.parametrize(
    ("words", "same", "imported"),
    [
        pytest.param(b"123 456 ", {123, 456}, [], id="checksums"),
        pytest.param(b"unit_learnt ", set(), ["unit_learnt"], id="a module of the archive"),
        pytest.param(b"unit_strange ", set(), [], id="a module that the archive has not"),
        pytest.param(b"unit_broken 7 ", {7}, [], id="a module that cannot be imported"),
        pytest.param(b"\xff\xfe", set(), [], id="bytes that are no name"),
        pytest.param(b"", set(), [], id="nothing"),
    ],
)
def test_learn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: bytes, same: set[int], imported: list[str]) -> None:
    for name, content in (("unit_learnt", ""), ("unit_strange", ""), ("unit_broken", "1 / 0")):
        (tmp_path / f"{name}.py").write_text(content)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    learner = _agent(unit_learnt=1, unit_broken=1)
    agent._learn(words, learner)
    assert learner.archive_code == same
    assert [name for name in sys.modules if name.startswith("unit_")] == imported
    for name in imported:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("words", "data"),
    [
        pytest.param(["a.b", "123"], b"a.b 123 ", id="words"),
        pytest.param([], b"", id="no word"),
        pytest.param(["x" * 3000, "y" * 3000], b"x" * 3000 + b" ", id="more than a pipe takes at once: whole words"),
    ],
)
def test_words_are_sent_in_one_piece(words: list[str], data: bytes) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    agent._send_words(writer, words)
    os.close(writer)
    assert os.read(reader, 65536) == data
    os.close(reader)


def test_a_full_pipe_does_not_hold_a_task_up() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 65536)
    agent._send_words(writer, ["a.b"])
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("source", "status", "error"),
    [
        pytest.param("pass", 0, "", id="a program without an exit"),
        pytest.param("raise SystemExit", 0, "", id="an exit without a status"),
        pytest.param("raise SystemExit(3)", 3, "", id="an exit status"),
        pytest.param("raise SystemExit(True)", 1, "", id="a truth value"),
        pytest.param("raise SystemExit(256 + 5)", 5, "", id="a status of more than a byte"),
        pytest.param("raise SystemExit(-1)", 255, "", id="a negative status"),
        pytest.param("raise SystemExit('text')", 1, "text\n", id="an exit with text"),
        pytest.param("assert __name__ == '__main__'; import __main__; assert __main__.__name__ == __name__", 0, "", id="the name of a main program"),
        pytest.param("1 / 0", 1, "ZeroDivisionError: division by zero\n", id="an error"),
        pytest.param("raise KeyboardInterrupt", 1, "KeyboardInterrupt\n", id="an interrupt"),
        pytest.param("def", 1, "SyntaxError: invalid syntax\n", id="a program that cannot be read"),
    ],
)
def test_status_of_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: str, status: int, error: str) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    assert agent._status_of_program(source.encode()) == status
    shown = capsys.readouterr().err
    assert shown.endswith(error)
    assert "agent.py" not in shown


@pytest.mark.parametrize(("broken", "expected"), [(False, True), (True, False)])
def test_output_that_cannot_be_written_is_noticed(monkeypatch: pytest.MonkeyPatch, broken: bool, expected: bool) -> None:
    class Stream(io.StringIO):
        def flush(self) -> None:
            if broken:
                raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Stream())
    assert agent._flushed() is expected


def test_descendants_of_a_process() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        sleep = int(shell.stdout.readline())
        assert agent._descendants(shell.pid) == [sleep]
        assert {shell.pid, sleep} <= {*agent._descendants(os.getpid())}
        os.kill(sleep, 9)
        shell.kill()


def test_the_environment_is_the_one_of_the_start() -> None:
    # Not the one that Python has now.
    program = "import os, sys; os.environ['LATER'] = '1'; sys.path.insert(0, sys.argv[1]); import agent; print(sorted(agent._environment().items()))"
    environment = {"A": "1", "B": "x=y", "LISTEN_FDS": "2", "LISTEN_PID": "7"}
    argv = [sys.executable, "-B", "-E", "-c", program, os.path.dirname(str(agent.__file__))]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[(b'A', b'1'), (b'B', b'x=y')]\n"


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", -9)])
def test_status_of_a_child(script: str, status: int) -> None:
    # In a separate process: the function reaps all children of the process that calls.
    program = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1]); import agent\n"
        "other, child = (os.spawnv(os.P_NOWAIT, '/bin/sh', ['sh', '-c', script]) for script in ('exit 1', sys.argv[2]))\n"
        "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\n"
        "print(agent._status_of(child), agent._status_of(child))"
    )
    done = subprocess.run([sys.executable, "-B", "-c", program, os.path.dirname(str(agent.__file__)), script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{status} None\n"


@pytest.mark.parametrize(
    ("made", "changed", "expected"),
    [
        pytest.param(5, (4, 3), False, id="no change since"),
        pytest.param(5, (4, 6), True, id="a later change"),
        pytest.param(5, (5, 3), True, id="a change at the same time"),
        pytest.param(5, (None, None), False, id="no directory of units"),
        pytest.param(None, (4, None), True, id="the first task"),
        pytest.param(None, (None, None), False, id="the first task in a tree without systemd"),
    ],
)
def test_new_units_are_seen_by_the_time_of_their_directory(tmp_path: Path, made: int | None, changed: tuple[int | None, ...], expected: bool) -> None:
    times = {"made": made, "one": changed[0], "other": changed[1]}
    for name, time in times.items():
        if time is not None:
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (time, time))
    assert agent._has_new_units(str(tmp_path / "made"), tuple(str(tmp_path / name) for name in ("one", "other"))) is expected

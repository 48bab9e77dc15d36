# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest
from module_os import replace_os

pytest.importorskip("ansible", reason="lines are shown by Ansible's display")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible import output


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    monkeypatch.setattr(output.display, "display", lambda line: shown.append(line))
    return shown


def test_lines_are_shown_under_the_image_and_kept_whole(tmp_path: Path, shown: list[str]) -> None:
    with output.log_of("aa", str(tmp_path)) as log:
        for line in ("text", "two\nlines", b"one\nline", b"\x1b[31mred\x1b[0m", b"10%\r100%", "", b" \t", "\udcff"):
            log(line)
    red = r"\x1b[31mred\x1b[0m"
    assert shown == ["aa | text", "aa | two", "aa | lines", r"aa | one\nline", f"aa | {red}", "aa | 100%", "aa | ?"]
    assert (tmp_path / "last.log").read_text() == f"text\ntwo\nlines\none\\nline\n{red}\n10%\\r100%\n\n \t\n?\n"
    assert stat.S_IMODE((tmp_path / "last.log").stat().st_mode) == 0o600


def test_a_line_can_be_kept_alone(tmp_path: Path, shown: list[str]) -> None:
    with output.log_of("aa", str(tmp_path)) as log:
        log("text", show=False)
    assert (shown, (tmp_path / "last.log").read_text()) == ([], "text\n")


def test_the_lines_that_are_shown_are_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: list[str]) -> None:
    monkeypatch.setattr(output, "SHOWN_LINES", 3)
    with output.log_of("aa", str(tmp_path)) as log:
        for number in range(9):
            log(f"line {number}")
    assert shown == ["aa | line 0", "aa | line 1", f"aa | more lines are in {tmp_path}/last.log alone"]
    assert len((tmp_path / "last.log").read_text().splitlines()) == 9


@pytest.mark.parametrize(("value", "lines"), [("no", []), ("yes", ["aa | text"])])
def test_without_lines_about_hosts_in_order_no_line_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: list[str], value: str, lines: list[str]
) -> None:
    monkeypatch.setenv("ANSIBLE_DISPLAY_OK_HOSTS", value)
    with output.log_of("aa", str(tmp_path)) as log:
        log("text")
    assert (shown, (tmp_path / "last.log").read_text()) == (lines, "text\n")


def test_an_alarm_waits_until_a_line_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps: list[str] = []

    def display(line: str) -> None:
        os.kill(os.getpid(), signal.SIGALRM)
        steps.append(line)

    monkeypatch.setattr(output.display, "display", display)
    before = signal.signal(signal.SIGALRM, lambda number, frame: steps.append("alarm"))
    try:
        with output.log_of("aa", str(tmp_path)) as log:
            log("text")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert steps == ["aa | text", "alarm"]


def test_the_log_before_is_kept_once(tmp_path: Path, shown: list[str]) -> None:
    for number in range(3):
        with output.log_of("aa", str(tmp_path)) as log:
            log(f"run {number}")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"last.log": "run 2\n", "last.log.1": "run 1\n"}


def test_a_line_is_added_to_the_end_of_a_log_once(tmp_path: Path) -> None:
    path = tmp_path / "last.log"
    assert [output.append_to_log(str(tmp_path), "why \x1b"), path.read_text()] == [True, "why \\x1b\n"]
    assert [output.append_to_log(str(tmp_path), "why \x1b"), path.read_text()] == [True, "why \\x1b\n"]
    assert [output.append_to_log(str(tmp_path), "other"), path.read_text()] == [True, "why \\x1b\nother\n"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    assert not output.append_to_log(f"{tmp_path}/none", "line")
    (tmp_path / "last.log").symlink_to("/dev/null")
    assert not output.append_to_log(str(tmp_path), "line")


def test_a_long_log_keeps_its_beginning_and_its_end_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: list[str]) -> None:
    monkeypatch.setattr(output, "LOG_LIMIT", 4096)
    monkeypatch.setattr(output.display, "display", lambda line: None)
    with output.log_of("aa", str(tmp_path)) as log:
        for number in range(2000):
            log(f"line {number}")
            assert (tmp_path / "last.log").stat().st_size <= 4096
    lines = (tmp_path / "last.log").read_text().splitlines()
    cut = [number for number, line in enumerate(lines) if "left out" in line]
    assert len(cut) == 1
    assert lines[: cut[0]] == [f"line {number}" for number in range(cut[0])]
    end = lines[cut[0] + 1 :]
    assert end == [f"line {number}" for number in range(2000 - len(end), 2000)]
    assert min(cut[0], len(end)) > 50


def test_a_log_that_is_a_link_is_not_written_through(tmp_path: Path, shown: list[str]) -> None:
    (tmp_path / "host").write_text("host")
    (tmp_path / "last.log").symlink_to("host")
    with output.log_of("aa", str(tmp_path)) as log:
        log("text")
    assert (tmp_path / "host").read_text() == "host"
    assert (tmp_path / "last.log").read_text() == "text\n"


def test_a_full_disk_ends_the_log_and_not_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: list[str]) -> None:
    os.symlink("/dev/full", tmp_path / "full")
    real = os.open
    replace_os(monkeypatch, output, open=lambda path, flags, mode: real("/dev/full", os.O_WRONLY))
    with output.log_of("aa", str(tmp_path)) as log:
        log("text")
    assert shown == ["aa | text"]


def test_a_reader_that_ended_ends_no_stream() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        stream.write("text")
        output._flush(stream)
        stream.write("more")

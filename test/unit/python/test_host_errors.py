# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import pickle

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(RunnerError("no disk"), "no disk", id="without a remedy there is no colon"),
        pytest.param(RunnerError("no xz", "run apt install xz-utils"), "no xz: run apt install xz-utils", id="the remedy follows a colon"),
        pytest.param(RunnerError("tar failed", output=["a", "b"]), "tar failed\na\nb", id="each line of output is a line"),
        pytest.param(RunnerError("a: b", "c", ["d"]), "a: b: c\nd", id="all three fields"),
        pytest.param(RunnerError(""), "", id="an empty sentence stays empty"),
    ],
)
def test_an_error_shows_its_fields_in_order(error: RunnerError, text: str) -> None:
    assert str(error) == text


def test_the_fields_are_kept_apart() -> None:
    error = RunnerError("state.json: Is a directory", "move the directory away", ["x"])
    assert (error.found, error.remedy, list(error.output)) == ("state.json: Is a directory", "move the directory away", ["x"])


@pytest.mark.parametrize("error", [Busy("found", "remedy", ("a", "b")), RunnerError("found")])
def test_an_error_can_be_made_again_from_json(error: RunnerError) -> None:
    fields = json.loads(json.dumps(error.fields()))
    assert str(type(error)(**fields)) == str(error)


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
IS_DIRECTORY = IsADirectoryError(errno.EISDIR, "Is a directory", 13)
NO_RIGHT = PermissionError(errno.EACCES, "Permission denied", "/srv/a")


@pytest.mark.parametrize(
    ("problem", "failure", "path", "found"),
    [
        pytest.param(NO_SPACE, "", "", "No space left on device", id="the reason alone"),
        pytest.param(NO_SPACE, "", "/state", "/state: No space left on device", id="a write does not name the file"),
        pytest.param(NO_RIGHT, "", "/state", "/srv/a: Permission denied", id="the system's own file comes first"),
        pytest.param(NO_RIGHT, "aa cannot be kept", "", "aa cannot be kept: /srv/a: Permission denied", id="a failure"),
        pytest.param(NO_RIGHT, "/srv/a cannot be read", "", "/srv/a cannot be read: Permission denied", id="no file is named twice"),
        pytest.param(OSError("odd"), "", "", "odd", id="an error without a number"),
        pytest.param(IS_DIRECTORY, "aa cannot be read", "", "aa cannot be read: Is a directory", id="a descriptor is not a file name"),
    ],
)
def test_a_failed_system_call_names_file_and_reason(problem: OSError, failure: str, path: str, found: str) -> None:
    assert system_error(problem, failure, path).found == found


@pytest.mark.parametrize(
    ("number", "has_remedy"),
    [
        (errno.EACCES, False),
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
        (errno.EROFS, True),
        (errno.EIO, False),
        (errno.EISDIR, True),
        (errno.ELOOP, True),
        (errno.ENOTDIR, True),
    ],
)
def test_a_failed_system_call_has_an_order_as_remedy_or_none(monkeypatch: pytest.MonkeyPatch, number: int, has_remedy: bool) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    error = system_error(OSError(number, "reason of the system"), "it failed")
    assert bool(error.remedy) == has_remedy
    assert "reason of the system" not in error.remedy


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_another_user_than_root_is_told_to_be_root(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert system_error(OSError(number, "no")).remedy == "run Ansible as root"


def test_a_file_with_a_blank_in_the_name_is_named_once() -> None:
    error = system_error(OSError(errno.EIO, "Input/output error", "/a b/c"), "/a b/c cannot be read")
    assert error.found == "/a b/c cannot be read: Input/output error"


def test_a_file_whose_name_begins_the_named_one_is_named_too() -> None:
    error = system_error(OSError(errno.EIO, "Input/output error", "/a"), "/a/b cannot be read")
    assert error.found == "/a/b cannot be read: /a: Input/output error"


def test_a_remedy_is_never_taken_out_of_the_sentence() -> None:
    assert RunnerError("state.json cannot be read: Is a directory").remedy == ""


def test_a_busy_tree_is_an_error_like_the_others() -> None:
    with pytest.raises(RunnerError, match=r"^aa is locked: wait$"):
        raise Busy("aa is locked", "wait")


def test_an_error_survives_the_way_between_ansibles_processes() -> None:
    error = pickle.loads(pickle.dumps(Busy("found", "remedy", ("line",))))
    assert (type(error), str(error), error.remedy) == (Busy, "found: remedy\nline", "remedy")

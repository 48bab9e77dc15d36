# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pickle

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError


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


def test_a_remedy_is_never_taken_out_of_the_sentence() -> None:
    assert RunnerError("state.json cannot be read: Is a directory").remedy == ""


def test_a_busy_tree_is_an_error_like_the_others() -> None:
    with pytest.raises(RunnerError, match=r"^aa is locked: wait$"):
        raise Busy("aa is locked", "wait")


def test_an_error_survives_the_way_between_ansibles_processes() -> None:
    error = pickle.loads(pickle.dumps(Busy("found", "remedy", ("line",))))
    assert (type(error), str(error), error.remedy) == (Busy, "found: remedy\nline", "remedy")

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("ansible", reason="an action is a plugin of Ansible's")

from ansible_collections.nspawn.runner.plugins.action import summary

PACKAGES = [{"name": "a", "to": "1"}, {"name": "b", "from": "1"}, {"name": "c", "from": "1", "to": "2"}, {"name": "d", "from": "1", "to": "2"}]


@pytest.mark.parametrize(
    ("result", "check", "row"),
    [
        pytest.param(
            {"result": "published", "tasks_changed": 3, "packages": PACKAGES, "seconds": 12.34},
            False,
            ("published", "3", "1", "1", "2", "12.3"),
            id="a published image",
        ),
        pytest.param(
            {"result": "unchanged", "tasks_changed": 0, "packages": None, "seconds": 5}, False, ("unchanged", "0", "-", "-", "-", "5.0"), id="unchanged"
        ),
        pytest.param({"result": "published", "packages": []}, True, ("would be published", "0", "0", "0", "0", "0.0"), id="check mode"),
        pytest.param({"result": "held"}, True, ("held", "0", "-", "-", "-", "0.0"), id="check mode changes no other word"),
        pytest.param({"failed": True, "msg": "x"}, False, ("failed", "0", "-", "-", "-", "0.0"), id="a failure of Ansible itself"),
        pytest.param(None, False, ("not run", "-", "-", "-", "-", "-"), id="an image that was not reached"),
    ],
)
def test_row(result: Any, check: bool, row: tuple[str, ...]) -> None:
    assert summary._row("aa", result, check) == ("aa", *row)
    assert len(row) + 1 == len(summary.HEADER)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"failed": True}, True),
        ({"result": "held"}, True),
        ({"result": "failed", "failed": False}, True),
        ({"result": "busy", "failed": False}, True),
        ({"msg": "a failure of Ansible itself", "failed": False}, True),
        ({"result": "published", "creation_changed": ["nspawn_runner_mirror"]}, True),
        ({"result": "published", "creation_changed": []}, False),
        ({"result": "unchanged", "skipped_plays": ["localhost"]}, True),
        ({"result": "unchanged"}, False),
        (None, False),
        ("text of a fact", False),
    ],
)
def test_which_images_get_a_sentence(result: Any, expected: bool) -> None:
    assert summary._needs_sentence(result) is expected


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        pytest.param({"msg": "a  b"}, ["a b"], id="a sentence"),
        pytest.param({"msg": "a\n  b\x1b\n\n"}, ["a", r"b\x1b"], id="lines of output"),
        pytest.param({"msg": "\n".join("abcdefgh")}, ["a", *"defgh"], id="the last lines alone"),
        pytest.param({"msg": "x" * 9000}, ["x" * 2000], id="a long line"),
        pytest.param({"msg": "a\nb", "failed_runs": 1, "since": "x"}, ["a", "b"], id="one failed night"),
        pytest.param({"msg": "a\nb", "failed_runs": 4, "since": "x"}, ["a; the last 4 runs failed, since x", "b"], id="four failed nights"),
        pytest.param({}, ["no message"], id="no message"),
        pytest.param({"msg": 5}, ["5"], id="a number"),
    ],
)
def test_a_failure_is_told_in_a_sentence_and_the_last_lines(result: dict[str, Any], lines: list[str]) -> None:
    assert summary._told(result) == lines


def test_an_inventory_without_images_is_a_failure() -> None:
    result = summary._nothing({"all": []})
    assert result["failed"] is True
    assert "-i" in result["msg"]


def test_a_playbook_that_no_image_can_have_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary.display, "display", lambda line: None)
    monkeypatch.setattr(summary, "refused_playbooks", lambda: ["/etc/b b.yml: no image can have the name 'b b'"])
    result = summary._nothing({"nspawn_runner": []})
    assert (result["failed"], result["msg"]) == (True, "/etc/b b.yml: no image can have the name 'b b'")


def test_images_that_do_not_match_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary.display, "display", lambda line: None)
    result = summary._nothing({"nspawn_runner": ["aa"]})
    assert not result.get("failed")
    assert result["images"] == {}

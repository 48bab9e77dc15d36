# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The filter itself would hold for the whole test run: libseccomp is replaced.

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host import suppress_sync


class Library:
    """libseccomp, whose function `fails` fails. `calls`: the functions that were called, with their last arguments."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        def function(*arguments: Any) -> Any:
            self.calls.append((name, arguments[1:]))
            if name == "seccomp_init":
                return None if self.fails == name else 4096
            if name == "seccomp_syscall_resolve_name":
                return len(arguments[0])
            return -1 if self.fails == name else 0

        setattr(self, name, function)
        return function

    def names(self) -> list[str]:
        return [name for name, _arguments in self.calls]


def _load(monkeypatch: pytest.MonkeyPatch, library: Library) -> bool:
    monkeypatch.setattr(suppress_sync.ctypes, "CDLL", lambda name: library)
    return suppress_sync.suppress_sync()


def test_the_filter_is_loaded_after_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    assert _load(monkeypatch, library) is True
    assert library.names()[-2:] == ["seccomp_load", "seccomp_release"]
    rules = [arguments for name, arguments in library.calls if name == "seccomp_rule_add"]
    # Each call by its number, here the length of its name, with no condition on its arguments.
    assert [rule[1:] for rule in rules] == [(5, 0), (9, 0), (4, 0), (6, 0)]


@pytest.mark.parametrize("fails", ["seccomp_attr_set", "seccomp_rule_add", "seccomp_load"])
def test_a_step_that_fails_means_no_filter_and_frees_the_rules(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    library = Library(fails)
    assert _load(monkeypatch, library) is False
    assert library.names()[-1] == "seccomp_release"
    assert fails == "seccomp_load" or "seccomp_load" not in library.names()


def test_without_rules_there_is_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library("seccomp_init")
    assert _load(monkeypatch, library) is False
    assert library.names() == ["seccomp_init"]


def test_without_libseccomp_there_is_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(suppress_sync.ctypes, "CDLL", fail)
    assert suppress_sync.suppress_sync() is False

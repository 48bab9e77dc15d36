# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._tree import size as module
from ansible_collections.nspawn.runner.plugins.module_utils._tree.size import size


@pytest.fixture(autouse=True)
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    # New namespaces need root.
    monkeypatch.setattr(module, "guarded", lambda argv: argv)


def test_the_size_of_a_tree_is_what_its_files_occupy(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "other").write_bytes(b"x" * (1 << 20))
    (tmp_path / "tree/link").symlink_to("../other")
    (tmp_path / "tree/file").write_bytes(b"x" * (1 << 16))
    measured = size(str(tmp_path / "tree"), 60)
    assert measured is not None
    assert 1 << 16 <= measured < 1 << 20


def test_a_missing_tree_has_no_size(tmp_path: Path) -> None:
    assert size(str(tmp_path / "none"), 60) is None


def test_a_measurement_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "du"
    slow.write_text("#!/bin/sh\nsleep 2\nprintf '5\\t.\\n'\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert size(str(tmp_path), 0.1) is None

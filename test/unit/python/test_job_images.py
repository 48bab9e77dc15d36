# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._job import images
from ansible_collections.nspawn.runner.plugins.module_utils._job.settings import ImageSettings
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import DEFAULTS


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("trixie", "sid", "base", ".nspawn-runner", "-x"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("sid")
    # A directory for tests is no root directory that only root can change.
    monkeypatch.setattr(images, "check_root", lambda root: None)
    return str(tmp_path)


def test_images_are_directories_with_an_image_name(root: str) -> None:
    assert images.names(root) == ["base", "sid", "trixie"]
    assert images.names(f"{root}/none") == []


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("trixie", ["trixie"]),
        ("registry.example.org/base:unstable", ["unstable", "base"]),
        ("registry.example.org:5000/a/trixie", ["trixie"]),
        ("base:sid@sha256:ab", ["sid", "base"]),
        ("trixie@sha256:ab", ["trixie"]),
        ("../../etc", ["etc"]),
        ("..", []),
        (".hidden", []),
        ("a:.hidden", ["a"]),
        ("a\nb", []),
        ("x" * 300, []),
        ("", []),
        ("/", []),
    ],
)
def test_names_of_registries(wanted: str, names: list[str]) -> None:
    assert images.candidates(wanted) == names


@pytest.mark.parametrize(
    ("wanted", "allowed", "name"),
    [
        ("trixie", [], "trixie"),
        ("x/base:sid", [], "sid"),
        ("trixie:latest", [], "trixie"),
        ("sid", ["s*"], "sid"),
        ("x/trixie:sid", ["trixie", "sid"], "sid"),
    ],
)
def test_the_chosen_image(root: str, wanted: str, allowed: list[str], name: str) -> None:
    assert images.choose(root, wanted, allowed).place == (root, name)


@pytest.mark.parametrize(
    ("wanted", "allowed", "message"),
    [
        ("trixy", [], "is 'trixie' meant"),
        ("zzz", [], "choose one of base, sid, trixie"),
        ("link", [], "there is no image 'link'"),
        (".nspawn-runner", [], "there is no image"),
        ("\x1b[31m", [], r"'\\x1b\[31m'"),
        ("trixie", ["sid", "de*"], "choose an image that matches sid or de\\*"),
    ],
)
def test_refused_images(root: str, wanted: str, allowed: list[str], message: str) -> None:
    with pytest.raises(images.WrongImage, match=message):
        images.choose(root, wanted, allowed)


def test_an_image_that_is_not_for_jobs(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "read_settings", lambda state: ImageSettings({**DEFAULTS, "allowed": False}, True))
    with pytest.raises(images.WrongImage, match="not for jobs"):
        images.choose(root, "sid")

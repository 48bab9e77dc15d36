# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._tree import packages

DPKG = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22\n"


def _tree(path: Path, status: bytes) -> str:
    (path / "var/lib/dpkg").mkdir(parents=True)
    (path / "var/lib/dpkg/status").write_bytes(status)
    return str(path)


def _package(name: str = "git", status: str = "install ok installed", architecture: str = "amd64", version: str = "1.0") -> str:
    return f"Package: {name}\nStatus: {status}\nArchitecture: {architecture}\nVersion: {version}\n"


@pytest.mark.parametrize(
    ("status", "installed"),
    [
        pytest.param("", {}, id="an empty list"),
        pytest.param(_package(), {"git": "1.0"}, id="one package"),
        pytest.param(f"{DPKG}\n{_package()}", {"dpkg": "1.22", "git": "1.0"}, id="two packages"),
        pytest.param(f"\n\n{DPKG}\n\n\n{_package()}\n\n", {"dpkg": "1.22", "git": "1.0"}, id="more empty lines than needed"),
        pytest.param(_package(status="deinstall ok config-files"), {}, id="removed, with the configuration left"),
        pytest.param(_package(status="purge ok not-installed"), {}, id="not installed"),
        pytest.param(_package(status="install ok unpacked"), {"git": "1.0"}, id="not configured yet"),
        pytest.param(_package(status="install reinstreq half-configured"), {"git": "1.0"}, id="half configured"),
        pytest.param("Package:\n\n\0\n", {}, id="no package at all"),
        pytest.param(_package(status="hold ok installed"), {"git": "1.0"}, id="on hold"),
        pytest.param(_package(version="1:2.3-4+deb12u1~bpo1"), {"git": "1:2.3-4+deb12u1~bpo1"}, id="a version with all its characters"),
        pytest.param(_package(name="libstdc++6"), {"libstdc++6": "1.0"}, id="a name with plus signs"),
        pytest.param(
            f"{DPKG}\n{_package('libc6')}\n{_package('libc6', architecture='i386')}",
            {"dpkg": "1.22", "libc6": "1.0", "libc6:i386": "1.0"},
            id="a foreign architecture beside the native one",
        ),
        pytest.param(f"{DPKG}\n{_package(architecture='all')}", {"dpkg": "1.22", "git": "1.0"}, id="no architecture"),
        pytest.param(_package(architecture="i386"), {"git": "1.0"}, id="without dpkg no architecture is known to be foreign"),
        pytest.param("Package: a\nStatus: install ok installed\nVersion: 1\n", {}, id="a field is missing"),
        pytest.param(_package(name="../../etc"), {}, id="a name that is a path"),
        pytest.param(_package(name="Git"), {}, id="a name with a capital letter"),
        pytest.param(_package(version="1 2"), {}, id="a version with a blank"),
        pytest.param(_package(version="{{ 1 }}"), {}, id="a version that is a template"),
        pytest.param(_package().replace("\nStatus", "\n Version: 9\nStatus"), {"git": "1.0"}, id="a line that continues another field"),
        pytest.param(_package().replace(": ", ":\t"), {"git": "1.0"}, id="tabs after the colon"),
        pytest.param(_package() + "Description: Version: 7\n Package: x\n", {"git": "1.0"}, id="field names in a description"),
    ],
)
def test_installed_packages(tmp_path: Path, status: str, installed: dict[str, str]) -> None:
    assert packages.installed_packages(_tree(tmp_path, status.encode())) == installed


def test_bytes_that_are_not_utf8_do_not_hide_the_packages(tmp_path: Path) -> None:
    status = DPKG.encode() + b"Maintainer: \xff\xfe\n\n" + _package().encode()
    assert packages.installed_packages(_tree(tmp_path, status)) == {"dpkg": "1.22", "git": "1.0"}


def test_without_a_list_of_dpkg_the_packages_are_unknown(tmp_path: Path) -> None:
    assert packages.installed_packages(str(tmp_path)) is None


def test_a_missing_tree_has_unknown_packages(tmp_path: Path) -> None:
    assert packages.installed_packages(str(tmp_path / "none")) is None


def test_a_list_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "host").write_text(DPKG)
    (tmp_path / "tree/var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "tree/var/lib/dpkg/status").symlink_to(tmp_path / "host")
    assert packages.installed_packages(str(tmp_path / "tree")) is None


def test_a_list_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "_LIMIT", len(DPKG) - 1)
    assert packages.installed_packages(_tree(tmp_path, DPKG.encode())) is None


def test_a_list_of_more_packages_than_any_image_has_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "_PACKAGES", 2)
    tree = _tree(tmp_path, "\n".join(map(_package, "abc")).encode())
    assert packages.installed_packages(tree) is None
    Path(tree, "var/lib/dpkg/status").write_text("\n".join(map(_package, "abb")))
    assert packages.installed_packages(tree) == {"a": "1.0", "b": "1.0"}


@pytest.mark.parametrize(
    ("status", "installed"),
    [
        pytest.param(_package(version="1" * 246), {"git": "1" * 246}, id="the longest version that is read"),
        pytest.param(_package(version="1" * 247), {}, id="a version that is longer"),
        pytest.param(_package() + f"Description: {'x' * 243}Version: 2\n", {"git": "1.0"}, id="the name of a field in the middle of a long line"),
        pytest.param(_package() + f"Description: {'x' * 243}\n\nVersion: 2\n", {"git": "1.0"}, id="a long line that ends where it is cut"),
        pytest.param(_package().rstrip("\n"), {"git": "1.0"}, id="no line feed at the end"),
    ],
)
def test_long_lines(tmp_path: Path, status: str, installed: dict[str, str]) -> None:
    assert packages.installed_packages(_tree(tmp_path, status.encode())) == installed


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(b"Package: a" + b" " * (8 << 20) + b"b\n", id="blanks"),
        pytest.param(b"\n" * (1 << 20), id="empty lines"),
        pytest.param(b"".join(b"Package: a%d\nStatus: x\nDepends: b\n\n" % number for number in range(60_000)), id="paragraphs"),
    ],
)
def test_a_hostile_list_is_read_in_linear_time_and_little_memory(tmp_path: Path, status: bytes) -> None:
    tree = _tree(tmp_path, DPKG.encode() + b"\n" + status)
    program = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
sys.path[:0] = {[str(Path(__file__).parent)]!r}
import conftest
conftest.pytest_configure()
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages import installed_packages
import tracemalloc
tracemalloc.start()
print(installed_packages({tree!r}), tracemalloc.get_traced_memory()[1] < 1 << 20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("{'dpkg': '1.22'} True\n", "", 0)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param({}, {}, [], id="none"),
        pytest.param({"a": "1"}, {"a": "1"}, [], id="the same"),
        pytest.param({}, {"a": "1"}, [{"name": "a", "to": "1"}], id="added"),
        pytest.param({"a": "1"}, {}, [{"name": "a", "from": "1"}], id="removed"),
        pytest.param({"a": "1"}, {"a": "2"}, [{"name": "a", "from": "1", "to": "2"}], id="another version"),
        pytest.param(
            {"b": "1", "z": "1", "k": "1"},
            {"a": "1", "b": "2", "k": "1"},
            [{"name": "a", "to": "1"}, {"name": "b", "from": "1", "to": "2"}, {"name": "z", "from": "1"}],
            id="sorted by name, unchanged ones left out",
        ),
        pytest.param(None, {"a": "1"}, None, id="unknown before"),
        pytest.param({"a": "1"}, None, None, id="unknown after"),
    ],
)
def test_package_changes(before: dict[str, str] | None, after: dict[str, str] | None, changes: list[dict[str, str]] | None) -> None:
    assert packages.package_changes(before, after) == changes


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        pytest.param(None, {}, id="unknown changes have no counts"),
        pytest.param([], {"added": 0, "removed": 0, "upgraded": 0}, id="no change"),
        pytest.param(
            [{"name": "a", "to": "1"}, {"name": "b", "from": "1"}, {"name": "c", "from": "1", "to": "2"}, {"name": "d", "from": "2", "to": "1"}],
            {"added": 1, "removed": 1, "upgraded": 2},
            id="a downgrade counts as an upgrade",
        ),
    ],
)
def test_package_counts(changes: list[dict[str, str]] | None, counts: dict[str, int]) -> None:
    assert packages.package_counts(changes) == counts


@pytest.mark.parametrize(
    ("tree", "numbers"),
    [
        pytest.param({}, ["-", "-", "-"], id="unknown"),
        pytest.param({"packages": [{"name": "a", "to": "1"}]}, ["1", "0", "0"], id="whole"),
        pytest.param({"packages": [{"name": "a", "to": "1"}], "packages_omitted": 3}, ["1+", "0+", "0+"], id="with changes left out"),
    ],
)
def test_package_numbers(tree: dict[str, Any], numbers: list[str]) -> None:
    assert packages.package_numbers(tree) == numbers

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._tree import packages, packages_rpm, packages_text

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
    monkeypatch.setattr(packages_text, "_LIMIT", len(DPKG) - 1)
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


def _header(name: str = "git", version: str = "2.51", release: str = "1.fc43", arch: str = "x86_64", epoch: int | None = None) -> bytes:
    """A header of rpm, with an entry that is not read before and behind the others."""
    values = [(1004, 6, b"Summary: none"), (1000, 6, name.encode()), (1001, 6, version.encode()), (1002, 6, release.encode()), (1022, 6, arch.encode())]
    index, data = b"", b""
    if epoch is not None:
        index, data = struct.pack(">4I", 1003, 4, 0, 1), struct.pack(">I", epoch)
    for tag, kind, value in [*values, (1117, 8, b"usr")]:
        index += struct.pack(">4I", tag, kind, len(data), 1)
        data += value + b"\0"
    return struct.pack(">2I", len(index) // 16, len(data)) + index + data


def _sqlite(tree: Path, *headers: bytes | str, table: str = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)", keep_log: bool = False) -> str:
    place = tree / "usr/lib/sysimage/rpm"
    place.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place / "rpmdb.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(table)
        if headers:
            connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
        connection.commit()
        if keep_log:
            copies = {path: path.read_bytes() for path in place.iterdir()}
    if keep_log:
        for path, content in copies.items():
            path.write_bytes(content)
        (place / "rpmdb.sqlite-shm").unlink()
        assert (place / "rpmdb.sqlite-wal").stat().st_size > len(headers[0])
    return str(tree)


def _ndb(tree: Path, *headers: bytes, magic: bytes = b"RpmP", owner: int = 0, length: int = 0) -> str:
    place = tree / "usr/lib/sysimage/rpm"
    place.mkdir(parents=True)
    slots, blobs = b"", b""
    for number, header in enumerate(headers, 1):
        blob = struct.pack("<4s3I", b"BlbS", owner or number, 1, length or len(header)) + header + b"\0" * (-len(header) % 16)
        # A slot that was left by a removed package.
        slots += struct.pack("<4s3I", b"Slot", number, (4096 + len(blobs)) // 16, len(blob) // 16) + struct.pack("<4s3I", b"Slot", 0, 0, 0)
        blobs += blob
    unused = struct.pack("<4s3I", b"Slot", 0, 0, 0) * ((4096 - 32 - len(slots)) // 16)
    (place / "Packages.db").write_bytes(struct.pack("<4s4I", magic, 0, 1, 1, 9) + b"\0" * 12 + slots + unused + blobs)
    return str(tree)


HEADERS = {
    "an epoch": ([_header(epoch=1)], {"git": "1:2.51-1.fc43"}),
    "an epoch that is zero": ([_header(epoch=0)], {"git": "0:2.51-1.fc43"}),
    "no epoch": ([_header("perl-Git"), _header("libstdc++")], {"perl-Git": "2.51-1.fc43", "libstdc++": "2.51-1.fc43"}),
    "all characters": ([_header(version="1~rc1^git.a_b", release="2+x")], {"git": "1~rc1^git.a_b-2+x"}),
    "versions beside each other": ([_header("kernel", "6.2"), _header("kernel", "6.1")], {"kernel": "6.1-1.fc43, 6.2-1.fc43"}),
    "a foreign architecture": (
        [_header("glibc"), _header("rpm"), _header("rpm-data", arch="noarch"), _header("glibc", arch="i686")],
        {"glibc": "2.51-1.fc43", "rpm": "2.51-1.fc43", "rpm-data": "2.51-1.fc43", "glibc:i686": "2.51-1.fc43"},
    ),
    "a key": ([_header("gpg-pubkey"), _header()], {"git": "2.51-1.fc43"}),
    "a name that is a path": ([_header("../x"), _header()], {"git": "2.51-1.fc43"}),
    "control characters": ([_header(version="1\x1b[2J")], {}),
    "a version that is too long": ([_header(version="1" * 128)], {}),
    "no header": ([b"", b"\0" * 7, b"\xff" * 100, struct.pack(">2I", 1, 0), _header()[:-1], _header()], {"git": "2.51-1.fc43"}),
    "an offset behind the data": ([struct.pack(">6I", 1, 1, 1000, 6, 1, 1) + b"x", struct.pack(">6I", 1, 2, 1003, 4, 0, 1) + b"xx"], {}),
}


@pytest.mark.parametrize("database", [_sqlite, _ndb])
@pytest.mark.parametrize(("headers", "installed"), HEADERS.values(), ids=HEADERS)
def test_packages_of_rpm(tmp_path: Path, database: Any, headers: list[bytes], installed: dict[str, str]) -> None:
    assert packages.installed_packages(database(tmp_path, *headers)) == installed


def test_packages_of_rpm_in_the_older_place(tmp_path: Path) -> None:
    tree = _sqlite(tmp_path, _header())
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/sysimage/rpm").rename(tmp_path / "var/lib/rpm")
    assert packages.installed_packages(tree) == {"git": "2.51-1.fc43"}
    # As on Fedora, which has moved the database.
    (tmp_path / "var/lib/rpm").rename(tmp_path / "usr/lib/sysimage/rpm")
    (tmp_path / "var/lib/rpm").symlink_to("../../usr/lib/sysimage/rpm")
    assert packages.installed_packages(tree) == {"git": "2.51-1.fc43"}


def test_what_only_the_log_of_the_database_has_is_read_too(tmp_path: Path) -> None:
    assert packages.installed_packages(_sqlite(tmp_path, _header(), keep_log=True)) == {"git": "2.51-1.fc43"}


def test_links_of_a_database_are_not_followed(tmp_path: Path) -> None:
    place = tmp_path / "tree/usr/lib/sysimage/rpm"
    host = Path(_sqlite(tmp_path / "host", _header(), keep_log=True)) / "usr/lib/sysimage/rpm"
    place.mkdir(parents=True)
    (place / "rpmdb.sqlite").symlink_to(host / "rpmdb.sqlite")
    assert packages.installed_packages(str(tmp_path / "tree")) is None
    (place / "rpmdb.sqlite").unlink()
    (place / "rpmdb.sqlite").write_bytes((host / "rpmdb.sqlite").read_bytes())
    (place / "rpmdb.sqlite-wal").symlink_to(host / "rpmdb.sqlite-wal")
    assert packages.installed_packages(str(tmp_path / "tree")) is None


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS hnum, x'00' AS blob FROM n"


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("CREATE TABLE Other (x)", id="no table of packages"),
        pytest.param(f"CREATE VIEW Packages AS {ENDLESS}", id="a view without an end"),
        pytest.param("CREATE TABLE Other (blob); CREATE VIEW Packages AS SELECT blob FROM Other", id="a view of another table"),
        pytest.param(f"CREATE TABLE Packages (hnum, blob AS (zeroblob(60000000))); INSERT INTO Packages VALUES (1), {', '.join(['(2)'] * 5)}", id="computed"),
    ],
)
def test_a_hostile_database_has_unknown_packages(tmp_path: Path, table: str) -> None:
    assert packages.installed_packages(_sqlite(tmp_path, table=table)) is None


def test_a_database_that_is_none_has_unknown_packages(tmp_path: Path) -> None:
    tree = _sqlite(tmp_path, _header())
    database = tmp_path / "usr/lib/sysimage/rpm/rpmdb.sqlite"
    database.write_bytes(b"SQLite format 3\0" + database.read_bytes()[16:2000].replace(b"\0", b"\xff"))
    assert packages.installed_packages(tree) is None


def test_a_value_of_another_type_is_no_header(tmp_path: Path) -> None:
    assert packages.installed_packages(_sqlite(tmp_path, "text", _header())) == {"git": "2.51-1.fc43"}


@pytest.mark.parametrize(
    "wrong", [{"magic": b"RpmQ"}, {"owner": 7}, {"length": 1 << 31}], ids=["another format", "a blob of another package", "a length beyond all files"]
)
def test_a_damaged_database_of_ndb_has_unknown_packages(tmp_path: Path, wrong: dict[str, Any]) -> None:
    assert packages.installed_packages(_ndb(tmp_path, _header(), **wrong)) is None


@pytest.mark.parametrize("database", [_sqlite, _ndb])
def test_headers_that_are_larger_than_any_image_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Any) -> None:
    tree = database(tmp_path, *[_header()] * 100)
    monkeypatch.setattr(packages_rpm, "_LIMIT", 1 << 20)
    assert packages.installed_packages(tree) == {"git": "2.51-1.fc43"}
    monkeypatch.setattr(packages_rpm, "_LIMIT", 100 * len(_header()) - 1)
    assert packages.installed_packages(tree) is None


@pytest.mark.parametrize("place", ["usr/lib/apk/db", "lib/apk/db"])
def test_packages_of_apk(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    entries = ["C:Q1x=\nP:musl\nV:1.2.5-r9\nA:x86_64\nT:P:no\nF:lib\nR:libc.so\n", "P:.build\nV:2026.1\n", "P:x y\nV:1\n", "P:git\nV:2_rc1~x-r0\n"]
    (tmp_path / place / "installed").write_text("\n".join(entries))
    assert packages.installed_packages(str(tmp_path)) == {"musl": "1.2.5-r9", ".build": "2026.1", "git": "2_rc1~x-r0"}


def _pacman(tree: Path, **descriptions: str) -> str:
    for name, text in descriptions.items():
        (tree / "var/lib/pacman/local" / name).mkdir(parents=True)
        (tree / "var/lib/pacman/local" / name / "desc").write_text(text)
    return str(tree)


def test_packages_of_pacman(tmp_path: Path) -> None:
    text = "%NAME%\ngtk2+@x\n\n%VERSION%\n1:2.3_4-5\n\n%BASE%\nx\n\n%DESC%\n%VERSION%\n9\n"
    tree = _pacman(tmp_path, a=text, b="%DESC%\n%NAME%x\n", c="%NAME%\na b\n\n%VERSION%\n1\n", d="%VERSION%\n7\n\n%NAME%\nd", e="x" * 70_000)
    (tmp_path / "var/lib/pacman/local/ALPM_DB_VERSION").write_text("9\n")
    (tmp_path / "var/lib/pacman/local/f").mkdir()
    assert packages.installed_packages(tree) == {"gtk2+@x": "1:2.3_4-5", "d": "7"}


def test_links_of_pacman_are_not_followed(tmp_path: Path) -> None:
    host = Path(_pacman(tmp_path / "host", a="%NAME%\na\n\n%VERSION%\n1\n")) / "var/lib/pacman/local"
    local = Path(_pacman(tmp_path / "tree", b="%NAME%\nb\n\n%VERSION%\n1\n")) / "var/lib/pacman/local"
    (local / "a").symlink_to(host / "a")
    (local / "c").mkdir()
    (local / "c/desc").symlink_to(host / "a/desc")
    assert packages.installed_packages(str(tmp_path / "tree")) == {"b": "1"}


def test_the_manager_of_another_distribution_with_an_empty_list_does_not_count(tmp_path: Path) -> None:
    _tree(tmp_path, b"")
    assert packages.installed_packages(_sqlite(tmp_path, _header())) == {"git": "2.51-1.fc43"}
    assert packages.installed_packages(_tree(tmp_path / "debian", DPKG.encode())) == {"dpkg": "1.22"}
    _sqlite(tmp_path / "debian")
    assert packages.installed_packages(str(tmp_path / "debian")) == {"dpkg": "1.22"}


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

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the packages in rpm's databases, of SQLite (Fedora and its derivatives) and of rpm's own format ndb (openSUSE).
# Names can change at any time.

from __future__ import annotations

import os
import re
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing

from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages_text import Package, Unreadable

# The newer place first: the older one may be a link to it, and links are not followed.
_PLACES = ("usr/lib/sysimage/rpm", "var/lib/rpm")
_SQLITE, _LOG, _NDB = "rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db"
# Bytes of a database, and of all headers in it. A header has the names of all files of its package, so a package takes some 50 KiB.
_LIMIT = 256 << 20
# Bytes of a header, entries in its index, and bytes of a value.
_HEADER, _ENTRIES, _FIELD = 64 << 20, 1 << 12, 128
# Pages of slots in ndb, of 256 packages each.
_PAGES = 1 << 10
# Steps of SQLite's machine between two questions whether to go on, and how many questions are answered by yes.
_STEPS, _PATIENCE = 100_000, 200
_QUERY = "SELECT blob FROM Packages WHERE typeof(blob) = 'blob' AND length(blob) < ?"
# Tags and types of an index entry: https://rpm-software-management.github.io/rpm/manual/tags.html
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = _TAGS = (1000, 1001, 1002, 1003, 1022)
_INT32, _STRING = 4, 6
# The database is the tree's and not trusted: packages with other names or versions are skipped.
_WORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9+._~^-]*")
# A key that the user imported has an entry like a package.
_KEY = b"gpg-pubkey"


def rpm_packages(tree: str) -> Iterator[Package]:
    """The installed packages of rpm. Raises FileNotFoundError without a database, OSError or Unreadable."""
    for place in _PLACES:
        for name, headers in ((_SQLITE, _sqlite_headers), (_NDB, _ndb_headers)):
            if beneath.is_file(tree, f"{place}/{name}"):
                left = _LIMIT
                for header in headers(tree, place):
                    # Several entries can have the same bytes of the file.
                    left -= len(header)
                    if left < 0:
                        raise Unreadable
                    if package := _package(header):
                        yield package
                return
    raise FileNotFoundError(_PLACES[0])


def _sqlite_headers(tree: str, place: str) -> Iterator[bytes]:
    # Not every Python has it, and only trees with rpm need it.
    import sqlite3

    # SQLite opens the log beside a database by name, and would follow the tree's links.
    with tempfile.TemporaryDirectory(prefix="nspawn-runner-") as directory:
        for name in (_SQLITE, _LOG):
            _copy(tree, f"{place}/{name}", os.path.join(directory, name))
        try:
            with closing(sqlite3.connect(os.path.join(directory, _SQLITE))) as connection:
                connection.set_authorizer(_authorize)
                left = _PATIENCE

                def go_on() -> int:
                    nonlocal left
                    left -= 1
                    return int(left < 0)

                connection.set_progress_handler(go_on, _STEPS)
                yield from (blob for (blob,) in connection.execute(_QUERY, (_HEADER,)))
        except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError) as exc:
            raise Unreadable from exc


def _authorize(action: int, first: str | None, second: str | None, *_names: str | None) -> int:
    """Allows to read the column, and nothing else: a schema may hold views and triggers of the tree (https://sqlite.org/security.html)."""
    import sqlite3

    allowed = [(sqlite3.SQLITE_SELECT, None, None), (sqlite3.SQLITE_READ, "Packages", "blob")]
    allowed += [(sqlite3.SQLITE_FUNCTION, None, name) for name in ("typeof", "length")]
    return sqlite3.SQLITE_OK if (action, first, second) in allowed else sqlite3.SQLITE_DENY


def _copy(tree: str, path: str, target: str) -> None:
    with beneath.open_file(tree, path, _LIMIT) as file:
        if file is None:
            if beneath.is_file(tree, path):
                raise Unreadable
            return
        with open(target, "wb") as copy:
            left = _LIMIT
            # The file can grow while it is read.
            while chunk := file.read(min(left, 1 << 20)):
                copy.write(chunk)
                left -= len(chunk)


def _ndb_headers(tree: str, place: str) -> Iterator[bytes]:
    """The format is described in rpm's lib/backend/ndb/rpmpkg.c: pages of slots, then blobs in blocks of 16 bytes, all numbers little-endian."""
    with beneath.open_file(tree, f"{place}/{_NDB}", _LIMIT) as file:
        if file is None:
            raise Unreadable
        magic, version, _generation, pages = _unpack("<4s3I", file.read(16))
        if magic != b"RpmP" or version != 0 or pages > _PAGES:
            raise Unreadable
        # The header takes the place of two slots.
        for number in range(2, pages * 256):
            file.seek(number * 16)
            magic, package, block, _blocks = _unpack("<4s3I", file.read(16))
            if magic != b"Slot":
                raise Unreadable
            if package == 0:
                continue
            file.seek(block * 16)
            magic, owner, _generation, length = _unpack("<4s3I", file.read(16))
            if magic != b"BlbS" or owner != package or length > _HEADER:
                raise Unreadable
            yield file.read(length)


def _unpack(form: str, data: bytes) -> tuple[bytes, int, int, int]:
    if len(data) != struct.calcsize(form):
        raise Unreadable
    return struct.unpack(form, data)


def _package(header: bytes) -> Package | None:
    """The package of a header: two lengths, an index, and data, all numbers big-endian. None for a header that is no package's."""
    if len(header) < 8:
        return None
    entries, length = struct.unpack_from(">II", header)
    start = 8 + entries * 16
    if entries > _ENTRIES or start + length > len(header):
        return None
    found: dict[int, bytes] = {}
    for number in range(entries):
        tag, kind, offset, _count = struct.unpack_from(">4I", header, 8 + number * 16)
        if tag in _TAGS and kind == (_INT32 if tag == _EPOCH else _STRING) and offset < length:
            found[tag] = _value(header, start + offset, kind)
    words = [found.get(tag, b"") for tag in (_NAME, _VERSION, _RELEASE)]
    if not all(map(_WORD.fullmatch, words)) or words[0] == _KEY:
        return None
    name, version, release = (word.decode("ascii") for word in words)
    epoch = f"{int.from_bytes(found[_EPOCH], 'big')}:" if _EPOCH in found else ""
    architecture = found.get(_ARCH, b"")
    return Package(name, f"{epoch}{version}-{release}", architecture.decode("ascii") if _WORD.fullmatch(architecture) else "")


def _value(header: bytes, position: int, kind: int) -> bytes:
    if kind == _INT32:
        return bytes(struct.unpack_from("4s", header, position)[0]) if position + 4 <= len(header) else b""
    end = header.find(b"\0", position, position + _FIELD)
    return header[position:end] if end >= 0 else b""

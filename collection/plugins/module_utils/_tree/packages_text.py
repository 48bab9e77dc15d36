# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the package lists of dpkg, apk and pacman, which are text. Names can change at any time.

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

DPKG = "var/lib/dpkg/status"
# The newer place first: the older one may be a link to it, and links are not followed.
APK = ("usr/lib/apk/db/installed", "lib/apk/db/installed")
PACMAN = "var/lib/pacman/local"
# Bytes of a list, and bytes of a field: a larger list is not read, a longer field is no name and no version.
_LIMIT = 64 << 20
_FIELD = 256
# Bytes of a package's file of pacman, and lines of it that are looked at: the fields stand at its start.
_DESCRIPTION, _LINES = 1 << 20, 200
# The list is the tree's and not trusted: entries with another name or version are skipped.
_NAME = re.compile(rb"[a-z0-9][a-z0-9+.-]*")
_VERSION = re.compile(rb"[A-Za-z0-9.+:~-]+")
_OTHER_NAME = re.compile(rb"[A-Za-z0-9@._+][A-Za-z0-9@._+-]*")
_OTHER_VERSION = re.compile(rb"[A-Za-z0-9.+:~_^-]+")
_NOT_INSTALLED = (b"not-installed", b"config-files")


class Package(NamedTuple):
    """An installed package."""

    name: str
    version: str
    # Empty where the manager has packages of one architecture only.
    architecture: str = ""


class Unreadable(Exception):
    """The tree has a list, but no list that can be read."""


def dpkg_packages(tree: str) -> Iterator[Package]:
    """The installed packages of Debian and its derivatives. Raises FileNotFoundError without a list, OSError or Unreadable."""
    names = (b"Package", b"Status", b"Version", b"Architecture")
    for name, status, version, architecture in _paragraphs_of(tree, DPKG, names):
        state = status.split(b" ")[-1]
        if state and state not in _NOT_INSTALLED and all(map(_NAME.fullmatch, (name, architecture))) and _VERSION.fullmatch(version):
            yield Package(name.decode("ascii"), version.decode("ascii"), architecture.decode("ascii"))


def apk_packages(tree: str) -> Iterator[Package]:
    """The same for Alpine."""
    path = next((path for path in APK if beneath.is_file(tree, path)), APK[0])
    for name, version in _paragraphs_of(tree, path, (b"P", b"V")):
        if _OTHER_NAME.fullmatch(name) and _OTHER_VERSION.fullmatch(version):
            yield Package(name.decode("ascii"), version.decode("ascii"))


def pacman_packages(tree: str) -> Iterator[Package]:
    """The same for Arch Linux, which has a directory per package."""
    left = _LIMIT
    with beneath.directory_beneath(tree, PACMAN) as directory:
        if directory is None:
            raise FileNotFoundError(PACMAN)
        with os.scandir(directory) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    continue
                with beneath.open_file(tree, f"{PACMAN}/{entry.name}/desc", _DESCRIPTION) as file:
                    name, version = _description(file) if file else (b"", b"")
                left -= _FIELD
                if left < 0:
                    raise Unreadable
                if _OTHER_NAME.fullmatch(name) and _OTHER_VERSION.fullmatch(version):
                    yield Package(name.decode("ascii"), version.decode("ascii"))


def _description(file: BinaryIO) -> tuple[bytes, bytes]:
    """Name and version from pacman's file about a package, in which a field is a line %NAME% and the lines up to an empty one."""
    fields = {b"%NAME%": b"", b"%VERSION%": b""}
    heading = b""
    for _number in range(_LINES):
        line = file.readline(_FIELD).rstrip(b"\n")
        if heading in fields and not fields[heading]:
            fields[heading] = line
        heading = line
        if all(fields.values()):
            break
    return fields[b"%NAME%"], fields[b"%VERSION%"]


def _paragraphs_of(tree: str, path: str, names: Collection[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The values of these fields of each paragraph in a file."""
    with beneath.open_file(tree, path, _LIMIT) as file:
        if file is None:
            if beneath.is_file(tree, path):
                raise Unreadable
            raise FileNotFoundError(path)
        for fields in _paragraphs(file, names):
            yield tuple(fields.get(name, b"") for name in names)


def _paragraphs(file: BinaryIO, names: Collection[bytes]) -> Iterator[dict[bytes, bytes]]:
    """The fields of each package, one package at a time: the whole list would take many times the memory of the file."""
    fields: dict[bytes, bytes] = {}
    goes_on = False
    for line in iter(partial(file.readline, _FIELD), b""):
        rest_of_line, goes_on = goes_on, len(line) == _FIELD and not line.endswith(b"\n")
        if rest_of_line:
            continue
        if line == b"\n" and fields:
            yield fields
            fields = {}
        name, _colon, value = line.partition(b":")
        if name in names and (value := value.strip()):
            # The beginning of a longer value is not the value.
            fields[name] = b"" if goes_on else value
    yield fields

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the packages of a tree, read without running the tree's programs. Names can change at any time.

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO

from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

_STATUS = "var/lib/dpkg/status"
# Bytes of the file, packages in the file, and bytes of a field: a larger list is not read, a longer field is no name and no version.
_LIMIT = 64 << 20
_PACKAGES = 50_000
_FIELD = 256
_FIELDS = (b"Package", b"Status", b"Version", b"Architecture")
# The list is the tree's and not trusted: entries with another name or version are skipped.
_NAME = re.compile(rb"[a-z0-9][a-z0-9+.-]*")
_VERSION = re.compile(rb"[A-Za-z0-9.+:~-]+")
_NOT_INSTALLED = (b"not-installed", b"config-files")


def installed_packages(tree: str) -> dict[str, str] | None:
    """Name to version of the installed packages, with name:architecture for a foreign architecture.

    None if dpkg's list cannot be read, or is larger than any image needs.
    """
    versions: dict[tuple[str, str], str] = {}
    native = {"all"}
    try:
        with beneath.open_file(tree, _STATUS, _LIMIT) as file:
            if file is None:
                return None
            for fields in _paragraphs(file):
                if not _is_installed(fields):
                    continue
                name, architecture, version = (fields[field].decode("ascii") for field in (b"Package", b"Architecture", b"Version"))
                versions[name, architecture] = version
                # The native architecture is that of the package dpkg, and unknown if dpkg is not listed.
                if name == "dpkg":
                    native.add(architecture)
                if len(versions) > _PACKAGES:
                    return None
    except OSError:
        return None
    return {_key(name, architecture, native): version for (name, architecture), version in versions.items()}


def _paragraphs(file: BinaryIO) -> Iterator[dict[bytes, bytes]]:
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
        if name in _FIELDS and (value := value.strip()):
            # The beginning of a longer value is not the value.
            fields[name] = b"" if goes_on else value
    yield fields


def _is_installed(fields: dict[bytes, bytes]) -> bool:
    names = (fields.get(b"Package", b""), fields.get(b"Architecture", b""))
    state = fields.get(b"Status", b"").split(b" ")[-1]
    return bool(state) and state not in _NOT_INSTALLED and all(map(_NAME.fullmatch, names)) and bool(_VERSION.fullmatch(fields.get(b"Version", b"")))


def _key(name: str, architecture: str, native: set[str]) -> str:
    return f"{name}:{architecture}" if len(native) > 1 and architecture not in native else name


def package_changes(before: dict[str, str] | None, after: dict[str, str] | None) -> list[dict[str, str]] | None:
    """The packages whose version differs: a package without "from" was added, without "to" removed. None if one of the lists is unknown."""
    if before is None or after is None:
        return None
    changes = ({"name": name, "from": before.get(name), "to": after.get(name)} for name in sorted({*before, *after}))
    return [{key: value for key, value in change.items() if value is not None} for change in changes if change["from"] != change["to"]]


def package_counts(packages: Sequence[Mapping[str, str]] | None) -> dict[str, int]:
    """Numbers of added, removed and upgraded (or downgraded) packages; empty if the changes are unknown."""
    if packages is None:
        return {}
    counts = {"added": 0, "removed": 0, "upgraded": 0}
    for package in packages:
        counts["added" if "from" not in package else "removed" if "to" not in package else "upgraded"] += 1
    return counts


def package_numbers(tree: Mapping[str, Any]) -> list[str]:
    """Texts of these numbers for a table, from the record of a tree: "-" if the changes are unknown, "12+" if the record leaves some out."""
    counts = package_counts(tree.get("packages"))
    more = "+" if tree.get("packages_omitted") else ""
    return [f"{counts[word]}{more}" if counts else "-" for word in ("added", "removed", "upgraded")]

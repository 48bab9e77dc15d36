# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the packages of a tree, read without running the tree's programs. Names can change at any time.

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

_STATUS = "var/lib/dpkg/status"
_LIMIT = 256 << 20
_FIELD = re.compile(r"^(Package|Status|Version|Architecture):[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
# The list is the tree's and not trusted: entries with another name or version are skipped.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_VERSION = re.compile(r"[A-Za-z0-9.+:~-]+")
_NOT_INSTALLED = ("not-installed", "config-files")


def installed_packages(tree: str) -> dict[str, str] | None:
    """Name to version of the installed packages, with name:architecture for a foreign architecture; None if dpkg's list cannot be read."""
    try:
        status = beneath.read_file(tree, _STATUS, _LIMIT)
    except OSError:
        return None
    if status is None:
        return None
    known = [dict(_FIELD.findall(paragraph)) for paragraph in re.split(r"\n\n+", status.decode(errors="replace"))]
    installed = [package for package in known if _is_installed(package)]
    native = {"all", *(package["Architecture"] for package in installed if package["Package"] == "dpkg")}
    return {_key(package, native): package["Version"] for package in installed}


def _is_installed(package: dict[str, str]) -> bool:
    names = (package.get("Package", ""), package.get("Architecture", ""))
    state = package.get("Status", "").split(" ")[-1]
    return bool(state) and state not in _NOT_INSTALLED and all(map(_NAME.fullmatch, names)) and bool(_VERSION.fullmatch(package.get("Version", "")))


def _key(package: dict[str, str], native: set[str]) -> str:
    # The native architecture is that of the package dpkg, and unknown if dpkg is not listed.
    foreign = len(native) > 1 and package["Architecture"] not in native
    return f"{package['Package']}:{package['Architecture']}" if foreign else package["Package"]


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

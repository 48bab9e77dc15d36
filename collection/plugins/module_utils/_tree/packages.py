# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the packages of a tree, read without running the tree's programs. Names can change at any time.

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages_rpm import rpm_packages
from ansible_collections.nspawn.runner.plugins.module_utils._tree.packages_text import (
    Package,
    Unreadable,
    apk_packages,
    dpkg_packages,
    pacman_packages,
)

# Packages in a list: a longer one is not read.
_PACKAGES = 50_000
# Characters of the versions of a package.
_VERSIONS = 256
# Of these packages, a tree has the one of its own architecture.
_NATIVE = {"dpkg": ("dpkg",), "rpm": ("rpm", "filesystem", "glibc")}
_ANY = ("", "all", "noarch")
# A tree of one distribution may hold the manager of another one, with an empty list.
_MANAGERS: Mapping[str, Callable[[str], Iterator[Package]]] = {
    "dpkg": dpkg_packages,
    "rpm": rpm_packages,
    "pacman": pacman_packages,
    "apk": apk_packages,
}


def installed_packages(tree: str) -> dict[str, str] | None:
    """Name to version of the installed packages, with name:architecture for a foreign architecture. Versions that are installed beside each
    other are joined by commas.

    None if the list of the tree's package manager cannot be read, or is larger than any image needs. The first list that is not empty counts.
    """
    empty: dict[str, str] | None = None
    for manager, packages_of in _MANAGERS.items():
        try:
            packages = _bounded(packages_of(tree))
        except FileNotFoundError:
            continue
        except (OSError, Unreadable):
            return None
        if packages:
            return _versions(packages, _NATIVE.get(manager, ()))
        empty = {}
    return empty


def _bounded(packages: Iterable[Package]) -> list[Package]:
    found: dict[Package, None] = {}
    for package in packages:
        found[package] = None
        if len(found) > _PACKAGES:
            raise Unreadable
    return list(found)


def _versions(packages: Sequence[Package], native_packages: Sequence[str]) -> dict[str, str]:
    architectures = [package.architecture for package in packages if package.name in native_packages and package.architecture not in _ANY]
    # Unknown if the list has no such package: then no architecture is foreign.
    native = {*_ANY, *(entry for entry, _count in Counter(architectures).most_common(1))} if architectures else None
    versions: dict[str, list[str]] = {}
    for name, version, architecture in packages:
        key = f"{name}:{architecture}" if native is not None and architecture not in native else name
        versions.setdefault(key, []).append(version)
    return {key: ", ".join(sorted(set(several)))[:_VERSIONS] for key, several in versions.items()}


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

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the file and line of a value that Ansible has read. Names can change at any time.

from __future__ import annotations

from typing import Any

from yaml import MappingNode, SafeLoader, YAMLError, compose

try:  # ansible-core 2.19 and later
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None


def where(value: Any) -> str:
    """The file and line of a value, as far as Ansible knows: ansible-core 2.14 for text, lists and mappings, 2.19 for all values."""
    origin = Origin.get_tag(value) if Origin else None
    if origin and origin.path:
        return f" in {origin.path}:{origin.line_num}" if origin.line_num else f" in {origin.path}"
    file, line, _column = getattr(value, "ansible_pos", None) or (None, 0, 0)
    return f" in {file}:{line}" if file else ""


def option_place(path: str, option: str) -> str:
    """PATH:LINE of an option in a configuration file; PATH when the line is not known."""
    try:
        with open(path, "rb") as file:
            document = compose(file, SafeLoader)
    except (OSError, YAMLError):
        return path
    pairs = document.value if isinstance(document, MappingNode) else []
    return next((f"{path}:{key.start_mark.line + 1}" for key, _value in reversed(pairs) if key.value == option), path)

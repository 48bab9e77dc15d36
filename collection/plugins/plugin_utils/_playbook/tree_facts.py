# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the operating system of a tree, for the inventory. The tree can be hostile. Names can change at any time.

from __future__ import annotations

import shlex

from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._tree.beneath import read_file
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import unsafe

_LIMIT = 64 << 10
_KEYS = {"ID": "id", "VERSION_ID": "version_id", "VERSION_CODENAME": "version_codename", "PRETTY_NAME": "pretty_name"}


def os_release(tree: str) -> dict[str, str]:
    """Values of the tree's os-release, marked unsafe. Empty when no such file can be read without following a link."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        try:
            content = read_file(tree, path, _LIMIT)
        except OSError:
            continue
        if content is not None:
            return _parse(content.decode("utf-8", "replace"))
    return {}


def _parse(text: str) -> dict[str, str]:
    values = {}
    for line in text.splitlines():
        name, separator, quoted = line.strip().partition("=")
        if separator and name in _KEYS:
            try:
                words = shlex.split(quoted)
            except ValueError:  # A quote without an end.
                continue
            if len(words) == 1:
                values[_KEYS[name]] = unsafe(visible(words[0]))
    return values

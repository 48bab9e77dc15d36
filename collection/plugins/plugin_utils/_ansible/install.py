# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the remedy for a plugin that is not installed. Names can change at any time.

from __future__ import annotations


def install_remedy(plugin: str) -> str:
    """The order that installs the collection of a plugin; empty for a plugin of Ansible itself."""
    collection = plugin.rpartition(".")[0]
    if collection in ("", "ansible.builtin"):
        return ""
    # Debian's package ansible has community.general.
    debian = "apt install ansible, or " if collection == "community.general" else ""
    return f"run {debian}ansible-galaxy collection install {collection}"

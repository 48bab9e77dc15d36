# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the machine id of a tree, which all jobs on the tree would share. Names can change at any time.

from __future__ import annotations

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

_MACHINE_ID = "etc/machine-id"
# D-Bus uses systemd's file when this one is missing. Debian's dbus makes a link to systemd's file at boot.
_DBUS_MACHINE_ID = "var/lib/dbus/machine-id"
# Bytes. A larger file is no machine id.
_LIMIT = 4096


def remove_machine_id(tree: str, published: str | None, log: Log) -> None:
    """Empties /etc/machine-id of a staged tree, and removes D-Bus's copy, so that each booted job gets an id of its own (machine-id(5)).

    Packages write these files at their installation. `published`: the published tree, if there is one. A file stays when the published tree
    has an id in it too: the image has that id on purpose. Raises OSError.
    """
    for path, remove in ((_MACHINE_ID, beneath.empty_file), (_DBUS_MACHINE_ID, beneath.remove_file)):
        if _has_id(tree, path) and not (published and _has_id(published, path)):
            remove(tree, path)
            log(f"removed the machine id in {path}")


def _has_id(tree: str, path: str) -> bool:
    content = beneath.read_file(tree, path, _LIMIT)
    return content is not None and content.strip() not in (b"", b"uninitialized")

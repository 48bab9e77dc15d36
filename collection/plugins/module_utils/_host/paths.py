# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: paths of this collection. Names can change at any time.

from __future__ import annotations

import json
import os

# The collection's root directory.
COLLECTION = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
# The directory that contains ansible_collections.
COLLECTIONS = os.path.dirname(os.path.dirname(os.path.dirname(COLLECTION)))
# Shell scripts of the collection.
FILES = os.path.join(COLLECTION, "playbooks/files")
# The ansible_chroot_exe of each image.
WRAPPER = os.path.join(FILES, "nspawn-chroot")


def version() -> str:
    """The version of this collection, from the file that ansible-galaxy installs with it; empty for a checkout. Raises OSError."""
    try:
        with open(os.path.join(COLLECTION, "MANIFEST.json"), encoding="utf-8") as file:
            return str(json.load(file)["collection_info"]["version"])
    except FileNotFoundError:
        return ""

# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: where this collection is installed. Names can change at any time.

from __future__ import annotations

import os

# Root directory of this collection.
COLLECTION = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
# The directory that has ansible_collections in it.
COLLECTIONS = os.path.dirname(os.path.dirname(os.path.dirname(COLLECTION)))
# Files of the collection that a shell runs.
FILES = os.path.join(COLLECTION, "playbooks/files")
# The ansible_chroot_exe of every image.
WRAPPER = os.path.join(FILES, "nspawn-chroot")

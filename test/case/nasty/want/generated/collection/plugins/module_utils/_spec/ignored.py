# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# What of a tree makes no maintenance worth publishing.

from __future__ import annotations

# Files and directories below the tree's root; of a directory, all that is in it.
IGNORED: tuple[str, ...] = ("a b/it's \"x\" $HOME `id` \\ | <\xe9>",)

# Directories of which only the files are meant, not the directories in them.
IGNORED_FILES: tuple[str, ...] = ()

# Names of directories, wherever they stand.
IGNORED_NAMES: tuple[str, ...] = ()

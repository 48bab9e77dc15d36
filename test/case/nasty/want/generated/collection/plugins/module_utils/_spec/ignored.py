# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# Paths whose changes alone do not cause a publish.

from __future__ import annotations

# Files and directories, relative to the tree's root; a directory means everything in the directory.
IGNORED: tuple[str, ...] = ("a b/it's \"x\" $HOME `id` \\ | <\xe9>",)

# Directories whose files are meant, but not the directories in them.
IGNORED_FILES: tuple[str, ...] = ()

# Ends of paths anywhere in the tree; * stands for one name.
IGNORED_ANYWHERE: tuple[str, ...] = ()

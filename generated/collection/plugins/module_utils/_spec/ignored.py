# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/ignored-paths.ts: edit that, then run "npm run generate".
#
# Paths whose changes alone do not cause a publish.

from __future__ import annotations

# Files and directories, relative to the tree's root; a directory means everything in the directory.
IGNORED: tuple[str, ...] = (
    "tmp",
    "var/tmp",
    "run",
    "var/cache/ldconfig/aux-cache",
    "var/cache/man",
    "var/cache/fontconfig",
    "var/lib/apt/lists",
    "var/lib/apt/periodic",
    "var/cache/apt",
    "var/cache/swcatalog",
    "var/lib/command-not-found",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/dpkg/status-old",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/passwords.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/dnf",
    "var/cache/libdnf5",
    "var/cache/yum",
    "var/lib/dnf/history.sqlite-shm",
    "usr/lib/sysimage/libdnf5/transaction_history.sqlite-shm",
    "var/lib/YaST2/cookies",
    "var/lib/dnf/repos",
    "var/cache/zypp",
    "var/lib/rpm/.rpm.lock",
    "var/lib/rpm/rpmdb.sqlite-shm",
    "usr/lib/sysimage/rpm/.rpm.lock",
    "usr/lib/sysimage/rpm/rpmdb.sqlite-shm",
    "var/lib/pacman/sync",
    "var/lib/pacman/db.lck",
    "var/cache/pacman",
    "var/cache/apk",
    "lib/apk/db/lock",
    "usr/lib/apk/db/lock",
)

# Directories whose files are meant, but not the directories in them.
IGNORED_FILES: tuple[str, ...] = ("var/log",)

# Ends of paths anywhere in the tree; * stands for one name.
IGNORED_ANYWHERE: tuple[str, ...] = (
    ".ansible/tmp",
    ".ansible_async",
    "__pycache__",
    ".git/index",
    ".git/logs",
    ".git/modules/*/index",
    ".git/modules/*/logs",
)

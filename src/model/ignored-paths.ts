// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Paths whose changes alone do not cause a publish: programs write there, but the files are not content of the image.

export interface IgnoredPath {
  /** File or directory, relative to the tree's root. A directory means everything in the directory. */
  readonly path: string;
  /** The writer, and the reason why the path is no content. */
  readonly why: string;
  /**
   * `path` is the end of paths anywhere in the tree, in which `*` stands for one name. A directory that only exists for such a path, as
   * `.ansible` does for `.ansible/tmp`, is ignored while nothing else is in the directory.
   */
  readonly anywhere?: true;
  /** Files in the directory are meant, but not the directories there. */
  readonly files?: true;
}

export const ignoredPaths: readonly IgnoredPath[] = [
  { path: "tmp", why: "Temporary files of the tasks; a job has an empty `/tmp` of its own." },
  { path: "var/tmp", why: "Temporary files of the tasks that may outlive a boot." },
  { path: "run", why: "State of running programs; every container gets an empty one." },
  // Files alone: a package or a task may make a directory for the logs of a job's program.
  { path: "var/log", files: true, why: "Logs of the tasks: each run of apt, dpkg or dnf adds a line." },
  { path: ".ansible/tmp", anywhere: true, why: "Modules and files that Ansible sends, in the home of each user." },
  {
    path: ".ansible_async",
    anywhere: true,
    why: "Ansible's records of tasks in the background, in the home of each user.",
  },
  {
    path: "__pycache__",
    anywhere: true,
    why: "Compiled copies of the Python modules that a task imported.",
  },
  {
    path: ".git/index",
    anywhere: true,
    why: "Times and inodes of the files of a git checkout, made again by git in each copy of the tree.",
  },
  { path: ".git/logs", anywhere: true, why: "Log of git's own commands: each checkout adds a line." },
  { path: ".git/modules/*/index", anywhere: true, why: "The same of a submodule." },
  { path: ".git/modules/*/logs", anywhere: true, why: "The same of a submodule." },
  { path: "var/cache/ldconfig/aux-cache", why: "Cache of ldconfig about the libraries, made again by ldconfig." },
  { path: "var/cache/man", why: "Index of the manual pages, made again by each run of man-db." },
  { path: "var/cache/fontconfig", why: "Index of the fonts, made again by each run of fc-cache." },

  // Debian and its derivatives.
  { path: "var/lib/apt/lists", why: "Package lists: a job runs apt-get update before it installs packages." },
  { path: "var/lib/apt/periodic", why: "Times of the last update and upgrade by apt." },
  { path: "var/cache/apt", why: "Downloaded packages, and the package lists in apt's own form." },
  { path: "var/cache/swcatalog", why: "AppStream's form of the package lists, made again after apt-get update." },
  {
    path: "var/lib/command-not-found",
    why: "Index of the programs in the package lists, made again after apt-get update.",
  },
  { path: "var/lib/dpkg/lock", why: "Lock of dpkg, an empty file." },
  { path: "var/lib/dpkg/lock-frontend", why: "Lock of apt and other front ends of dpkg, an empty file." },
  { path: "var/lib/dpkg/triggers/Lock", why: "Lock of dpkg's triggers, an empty file." },
  { path: "var/lib/dpkg/status-old", why: "dpkg's copy of the status before the last change." },
  { path: "var/cache/debconf/config.dat-old", why: "debconf's copy of the answers before the last change." },
  { path: "var/cache/debconf/passwords.dat-old", why: "debconf's copy of the passwords before the last change." },
  { path: "var/cache/debconf/templates.dat-old", why: "debconf's copy of the questions before the last change." },

  // Fedora, openSUSE and their derivatives.
  { path: "var/cache/dnf", why: "Package lists and downloaded packages of dnf." },
  { path: "var/cache/libdnf5", why: "Package lists and downloaded packages of dnf 5." },
  { path: "var/cache/yum", why: "Package lists and downloaded packages of yum." },
  {
    path: "var/lib/dnf/history.sqlite-shm",
    why: "SQLite's index of the log of dnf's history, made again by each query of dnf.",
  },
  {
    path: "usr/lib/sysimage/libdnf5/transaction_history.sqlite-shm",
    why: "SQLite's index of the log of dnf 5's history.",
  },
  { path: "var/lib/YaST2/cookies", why: "Numbers by which package archives count this system, written by zypper." },
  { path: "var/lib/dnf/repos", why: "Times at which each package archive last counted this system." },
  { path: "var/cache/zypp", why: "Package lists and downloaded packages of zypper." },
  { path: "var/lib/rpm/.rpm.lock", why: "Lock of rpm, an empty file." },
  {
    path: "var/lib/rpm/rpmdb.sqlite-shm",
    why: "SQLite's index of the log beside it, made again by each query of rpm.",
  },
  { path: "usr/lib/sysimage/rpm/.rpm.lock", why: "Lock of rpm, an empty file, in its newer place." },
  {
    path: "usr/lib/sysimage/rpm/rpmdb.sqlite-shm",
    why: "SQLite's index of the log beside it, in rpm's newer place.",
  },

  // Arch Linux.
  { path: "var/lib/pacman/sync", why: "Package lists, downloaded again by pacman." },
  { path: "var/lib/pacman/db.lck", why: "Lock of pacman, an empty file." },
  { path: "var/cache/pacman", why: "Downloaded packages of pacman." },

  // Alpine Linux.
  { path: "var/cache/apk", why: "Package lists and downloaded packages of apk." },
  { path: "lib/apk/db/lock", why: "Lock of apk, an empty file." },
  { path: "usr/lib/apk/db/lock", why: "Lock of apk, an empty file, in its newer place." },
];

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// What of a tree makes no maintenance worth publishing: what programs write without anybody meaning it as the image's content.

export interface IgnoredPath {
  /** File or directory below the tree's root; of a directory, all that is in it. */
  readonly path: string;
  /** Who writes it, and why it is no content. */
  readonly why: string;
  /** `path` is the name of a directory that is meant wherever it stands. */
  readonly anywhere?: true;
  /** Of the directory only files are meant, and not the directories in it. */
  readonly files?: true;
}

export const ignoredPaths: readonly IgnoredPath[] = [
  { path: "tmp", why: "Temporary files of the tasks; a job sees its own, empty one." },
  { path: "var/tmp", why: "Temporary files of the tasks that may outlive a boot." },
  { path: "run", why: "State of running programs; every container gets an empty one." },
  // A package or a task may make a directory there for the logs of a job's program.
  { path: "var/log", files: true, why: "Logs of the tasks: each run of apt, dpkg or dnf adds a line." },
  { path: "root/.ansible/tmp", why: "Where Ansible puts modules and files that it sends." },
  { path: "root/.ansible_async", why: "Ansible's notes on tasks in the background." },
  {
    path: "__pycache__",
    anywhere: true,
    why: "Python leaves there, compiled, what a task made it import.",
  },
  { path: "var/cache/ldconfig/aux-cache", why: "What ldconfig knows of the libraries; it makes it again." },
  { path: "var/cache/man", why: "Index of the manual pages, made again by each run of man-db." },
  { path: "var/cache/fontconfig", why: "Index of the fonts, made again by each run of fc-cache." },

  // Debian and its derivatives.
  { path: "var/lib/apt/lists", why: "Package lists: apt-get update gets them anew, a job before it installs." },
  { path: "var/lib/apt/periodic", why: "Times of apt's last update and upgrade." },
  { path: "var/cache/apt", why: "Downloaded packages, and the package lists in apt's own form." },
  { path: "var/cache/swcatalog", why: "AppStream's form of the package lists, made anew after apt-get update." },
  { path: "var/lib/command-not-found", why: "Programs of the package lists, made anew after apt-get update." },
  { path: "var/lib/dpkg/lock", why: "Lock of dpkg, an empty file." },
  { path: "var/lib/dpkg/lock-frontend", why: "Lock of apt and its like, an empty file." },
  { path: "var/lib/dpkg/triggers/Lock", why: "Lock of dpkg's triggers, an empty file." },
  { path: "var/lib/dpkg/status-old", why: "dpkg's copy of the status before the last change." },
  { path: "var/cache/debconf/config.dat-old", why: "debconf's copy of the answers before the last change." },
  { path: "var/cache/debconf/passwords.dat-old", why: "debconf's copy of the passwords before the last change." },
  { path: "var/cache/debconf/templates.dat-old", why: "debconf's copy of the questions before the last change." },

  // Fedora, openSUSE and their like.
  { path: "var/cache/dnf", why: "Package lists and downloaded packages of dnf." },
  { path: "var/cache/libdnf5", why: "Package lists and downloaded packages of dnf 5." },
  { path: "var/cache/yum", why: "Package lists and downloaded packages of yum." },
  { path: "var/lib/dnf/repos", why: "When dnf was last counted by each package archive." },
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
  { path: "var/lib/pacman/sync", why: "Package lists: pacman gets them anew." },
  { path: "var/lib/pacman/db.lck", why: "Lock of pacman, an empty file." },
  { path: "var/cache/pacman", why: "Downloaded packages of pacman." },

  // Alpine Linux.
  { path: "var/cache/apk", why: "Package lists and downloaded packages of apk." },
  { path: "lib/apk/db/lock", why: "Lock of apk, an empty file." },
  { path: "usr/lib/apk/db/lock", why: "Lock of apk, an empty file, in its newer place." },
];

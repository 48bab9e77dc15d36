// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the module that makes and removes trees.

import type { Path, Url } from "./types.ts";

/**
 * Makes or removes the tree of one image.
 *
 * A tree is built beside its place and renamed in, so that a half-made tree never stands under the image's name.
 * A new tree holds Python, git, dbus and systemd, and no host name, resolv.conf or cache of the host.
 * Removal never leaves the root's file system, follows no link, and is refused while the tree is in use.
 * It runs on the host that holds the trees, as root.
 *
 * @kind module
 * @name chroot
 * @since 0.1.0
 * @check_mode full
 * @diff_mode full
 */
export interface ChrootModule {
  /** Name of the image. */
  name: string;
  /**
   * Directory that holds the trees. It is made, with mode 0700, when it does not exist.
   *
   * @default {layout.root}
   */
  root?: Path;
  /**
   * Whether the tree is to exist. `absent` removes its generations and its record as well, and is refused while any of them is in use.
   *
   * @default present
   */
  state?: "present" | "absent";
  /**
   * Makes the tree anew when it exists: the new one is built beside it, takes its place, and then the old one is removed.
   * Refused while the old one is in use.
   *
   * @default false
   */
  recreate?: boolean;
  /** Suite that the tree is made of. The bootstrap tools need it. */
  suite?: string;
  /**
   * How the tree is made. Without it: `command` or `tarball` when their option is set, else the first installed tool that can make
   * the suite.
   */
  bootstrap?: "mmdebstrap" | "debootstrap" | "command" | "tarball";
  /** Program and arguments that fill a directory. `{tree}` in an argument is that directory, which exists and is empty. */
  command?: string[];
  /** Local archive of a root file system: `.tar`, or compressed by gzip, xz or zstd. */
  tarball?: Path;
  /** Checksum that the archive must have, as `ALGORITHM:HEX`. */
  checksum?: string;
  /** Package archive that the tree is made from. */
  mirror?: Url;
  /**
   * Components of the package archive.
   *
   * @default ["main"]
   */
  components?: string[];
  /** Debian architecture of the tree. */
  architecture?: string;
  /**
   * How much the bootstrap tool installs.
   *
   * @default minbase
   */
  variant?: "minbase" | "buildd";
  /**
   * Packages beside what every image gets.
   *
   * @default []
   */
  packages?: string[];
  /** Keyring that the package archive's signature is checked with. */
  keyring?: Path;
}

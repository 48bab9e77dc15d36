// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the module that makes and removes trees. Its other options are the image's variables that have `@option`.

import type { Path } from "./types.ts";

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
 * @creation
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
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the module that makes and removes trees. Its other options are the image's variables that have `@option`.

import type { Path } from "./types.ts";

/**
 * Makes or removes the tree of one image.
 *
 * A new tree is built in another directory and renamed when it is complete: an incomplete tree never has the image's name.
 * A new tree contains Python, git, dbus and systemd, and no host name, resolv.conf or cache of the host.
 * Removal stays on the root directory's file system, follows no link, and is refused while the tree is in use.
 * The module runs on the host that holds the trees, as root.
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
   * Directory that holds the trees. A missing directory is made, with mode 0700.
   *
   * @default {layout.root}
   */
  root?: Path;
  /**
   * Whether the tree shall exist. `absent` also removes the generations, the record, the logs and all else of the image's private
   * directory, and is refused while one of the trees is in use.
   *
   * @default present
   */
  state?: "present" | "absent";
  /**
   * Replaces an existing tree: the new tree is built in another directory and takes the place of the old one, which is then removed.
   * This is refused while the old tree is in use.
   *
   * @default false
   */
  recreate?: boolean;
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Options of the vars plugin.

import type { Path } from "./types.ts";

/**
 * Gives the `nspawn_runner_*` variables of an image's playbook to the host of that name.
 *
 * The plugin is for static inventories and for the hosts of the group `nspawn_runner`; the inventory plugin `nspawn.runner.chroots` gives the
 * same variables by itself. The plugin never gives a connection or a path.
 *
 * For a playbook that cannot be used, and for a host with a name that no image can have, the plugin gives the variable `nspawn_runner_error` instead, and a warning.
 *
 * A vars plugin of a collection must be enabled, as in `vars_plugins_enabled = host_group_vars, nspawn.runner.playbook_vars`.
 *
 * @kind vars
 * @name playbook_vars
 * @since 0.1.0
 * @staging
 */
export interface PlaybookVars {
  /**
   * Directory that holds one tree per image.
   *
   * @default {layout.root}
   * @env NSPAWN_RUNNER_ROOT
   * @ini nspawn_runner root
   */
  root?: Path;
  /**
   * Directories that are searched for playbooks, each named after an image. The first match wins, and a warning names a second playbook.
   * A path that is no directory is an error.
   * The default is the directory of the inventory, then the root directory. So the playbooks in `/etc/nspawn-runner` count when the inventory
   * lies there, or when this option names the directory.
   *
   * @env NSPAWN_RUNNER_PLAYBOOK_DIRS
   * @ini nspawn_runner playbook_dirs
   */
  playbook_dirs?: Path[];
}

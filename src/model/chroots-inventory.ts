// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Options of the inventory plugin.

import type { Glob, Path } from "./types.ts";

/**
 * Lists the images of a runner host as Ansible hosts.
 *
 * The name of the inventory file ends in `nspawn_runner.yml` or `nspawn_runner.yaml`.
 *
 * An image has a tree, the directory of its name in the root directory, or a playbook of its name in one of the playbook directories, or both.
 * A file counts as an image's playbook when a tree of that name exists, or when its first play's `vars` has a key that begins with
 * `nspawn_runner_`. Those variables become host variables.
 *
 * All images are in the group `nspawn_runner`, and in those of its children that apply: `nspawn_runner_declared` has a playbook,
 * `nspawn_runner_present` has a tree, `nspawn_runner_missing` has a playbook and no tree, `nspawn_runner_unmanaged` has a tree and no playbook.
 *
 * An image whose playbook cannot be used stays listed: the variable `nspawn_runner_error` and a warning give the reason. So does an image for which
 * an expression of `compose`, `groups` or `keyed_groups` fails, where `strict` is set. Maintenance of such an image fails.
 *
 * Files and directories whose name begins with a dot are private. A tree whose name cannot be a host name is skipped with a warning. A playbook with
 * such a name fails the playbooks of the collection, which maintain the other images all the same.
 *
 * The groups of the option `groups` exist also without an image, so that a playbook can name them in `hosts`.
 *
 * The plugin executes nothing inside a tree and follows no symbolic link there. Text from a tree is never rendered as a template.
 *
 * @kind inventory
 * @name chroots
 * @since 0.1.0
 * @constructed
 */
export interface ChrootsInventory {
  /** The name of this plugin. */
  plugin: "nspawn.runner.chroots";
  /**
   * Directory that holds one tree per image. Without this directory, all images are missing.
   *
   * @default {layout.root}
   * @env NSPAWN_RUNNER_ROOT
   */
  root?: Path;
  /**
   * Directories that are searched for playbooks, each named after an image. The first match wins, and `.yaml` wins over `.yml`
   * in one directory; a warning names a second playbook of an image. A relative path starts at the inventory file's directory.
   * A path that is no directory is an error.
   * The default is the directory of the inventory file, then the root directory. So the playbooks in `/etc/nspawn-runner` count when the
   * inventory file lies there, or when this option names the directory.
   */
  playbook_dirs?: Path[];
  /**
   * Connection plugin of the images. With `community.general.chroot`, which has to be installed, each command starts a container of its
   * own. Any other plugin would run the tasks outside of the tree.
   *
   * @default nspawn.runner.nspawn
   */
  connection?: "nspawn.runner.nspawn" | "community.general.chroot";
  /**
   * Only images whose name matches one of these globs are listed.
   *
   * @default ["*"]
   */
  include?: Glob[];
  /**
   * Images whose name matches one of these globs are not listed.
   *
   * @default []
   */
  exclude?: Glob[];
}

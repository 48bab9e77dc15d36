// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the actions that the playbooks call.

/**
 * Creates or maintains one image: the image's playbook runs in a staged tree, which is then published.
 *
 * The action works on the host `inventory_hostname`, an image of the inventory plugin `nspawn.runner.chroots`, and runs on the controller, as root.
 *
 * The staged tree is a new tree when the image is missing or `nspawn_runner_maint_recreate` is set. Otherwise it is a copy of the published tree:
 * a snapshot on btrfs, a copy with shared blocks where the file system supports reflinks, else a plain copy.
 *
 * The playbook runs in an `ansible-playbook` of its own, limited to this image, with the inventory, configuration and flags of this run.
 * The output of that run is shown line by line behind the image's name, and kept in the file that `log` names.
 *
 * When the playbook has run to its end, the staged tree takes the place of the published tree in one step. The old tree becomes a generation:
 * running jobs keep it, and `nspawn.runner.rollback` can put it back. When nothing in the tree has changed, or the playbook failed,
 * the staged tree is removed and the image stays unchanged.
 *
 * An image on hold after a rollback is skipped until it is released.
 *
 * @kind action
 * @name maintain
 * @since 0.1.0
 * @check_mode full
 * @diff_mode full
 */
export interface MaintainAction {
  /**
   * Only creates a missing image and runs its playbook. An existing image is skipped.
   *
   * @default false
   */
  create_only?: boolean;
}

/**
 * Shows the results of `nspawn.runner.maintain` as a table, one line per image.
 *
 * @kind action
 * @name summary
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
export interface SummaryAction {
  /** Name of the variable in which the results of `nspawn.runner.maintain` were registered. */
  register: string;
}

/**
 * Puts an earlier tree of one image back in its place, or releases the image afterwards.
 *
 * The action works on the host `inventory_hostname`, like `nspawn.runner.maintain`, and only in a run with `--limit`. The swap is one step: a job sees one complete tree, the old or the new.
 * The replaced tree becomes a generation, so that a rollback can be rolled back.
 *
 * From then on the image is on hold: maintenance skips the image, so that the undone changes do not come back.
 * Release the image when its playbook is fixed.
 *
 * @kind action
 * @name rollback
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
export interface RollbackAction {
  /**
   * Generation to put in the image's place, as `nspawn.runner.generations` lists it.
   * The default, also for an empty text, is the generation that was last in the image's place, of those older than the present tree.
   */
  generation?: string;
  /**
   * Ends the hold and swaps nothing: the next maintenance works on the image again.
   *
   * @default false
   */
  release?: boolean;
}

/**
 * Removes one image from this host: the tree, the earlier trees, the log and all other private files.
 *
 * The action works on the controller, as root, in the root directory of the inventory plugin `nspawn.runner.chroots`, whatever the host of the task is.
 * A job on one of the trees keeps the whole image: nothing is removed then. The image's playbook stays.
 *
 * A removal that is killed is completed by the next one of the same name.
 *
 * @kind action
 * @name remove
 * @since 0.1.0
 * @check_mode full
 * @diff_mode full
 */
export interface RemoveAction {
  /** Name of the image. An empty text is refused. */
  name: string;
}

/**
 * Shows the published tree and the earlier trees of each image, which a rollback can put back, as a table.
 *
 * The action shows all images of the play at once, so call it with `run_once`. It changes nothing.
 *
 * @kind action
 * @name generations
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
// biome-ignore lint/suspicious/noEmptyInterface: an action without options.
export interface GenerationsAction {}

/**
 * Shows the present state of each image: system, result of the last run and since when runs end like this, failed runs in a row, age and size of the
 * tree, hold, and the containers, processes and mounts that use the image's trees.
 *
 * The action shows all images of the play at once, so call it with `run_once`. It changes nothing, and takes no lock.
 * The sizes of all trees together may take 20 seconds, where the maintenance has not recorded them. Other sizes are not shown.
 *
 * An image has a problem when its last run failed, its tree is missing, or its playbook or its record cannot be used. The action itself does not fail:
 * the playbook `nspawn.runner.status` fails when an image has a problem.
 *
 * @kind action
 * @name status
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
export interface StatusAction {
  /**
   * A table, or one line of JSON for programs: the only line of the output that begins with a brace.
   *
   * @default table
   */
  format?: "table" | "json";
}

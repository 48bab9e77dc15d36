// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the actions that the playbooks are made of.

/**
 * Creates or maintains one image: its playbook runs in a tree beside the published one, which is then published.
 *
 * It acts on the host `inventory_hostname`, an image of the inventory plugin `nspawn.runner.chroots`, and runs on the controller, as root.
 *
 * The staged tree is made anew when the image is missing or `nspawn_runner_maint_recreate` is set. Else it is a copy of the published tree:
 * a snapshot on btrfs, a copy that shares its blocks where the file system can do that, else a plain copy.
 *
 * The playbook runs in an `ansible-playbook` of its own, limited to this image, with the inventory, configuration and flags of this run.
 * What that run prints is shown line by line behind the image's name, and kept whole in the file that `log` names.
 *
 * When the playbook has run to its end, the staged tree takes the published one's place in one step. The old tree becomes a generation:
 * jobs that run in it keep it, and `nspawn.runner.rollback` can put it back. When nothing in the tree has changed, or the playbook failed,
 * the staged tree is dropped and the image stays as it is.
 *
 * An image on hold after a rollback is left alone until it is released.
 *
 * @kind action
 * @name maintain
 * @since 0.1.0
 * @check_mode full
 * @diff_mode full
 */
export interface MaintainAction {
  /**
   * Only makes the image when it is missing, and runs its playbook then. An image that exists is left alone.
   *
   * @default false
   */
  create_only?: boolean;
}

/**
 * Shows the table of what `nspawn.runner.maintain` did, one line per image.
 *
 * @kind action
 * @name summary
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
export interface SummaryAction {
  /** Name of the variable that `nspawn.runner.maintain` was registered as. */
  register: string;
}

/**
 * Puts an earlier tree of one image back in its place, or releases the image afterwards.
 *
 * It acts on the host `inventory_hostname`, like `nspawn.runner.maintain`, and only in a run with `--limit`. The swap is one step: a job sees one tree or the other, whole.
 * The tree that was in the place becomes a generation, so that a rollback can be rolled back.
 *
 * From then on the image is on hold: maintenance leaves it alone, so that it does not bring back what the rollback undid.
 * Release it when its playbook is mended.
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
   * Without it, or when it is empty: of those older than the present tree, the one that was in the image's place last.
   */
  generation?: string;
  /**
   * Swaps nothing and ends the hold: the next maintenance works on the image again.
   *
   * @default false
   */
  release?: boolean;
}

/**
 * Shows the published tree of each image and the earlier ones, which a rollback can put back, as a table.
 *
 * It looks at all images of the play at once, so it is run with `run_once`. It changes nothing.
 *
 * @kind action
 * @name generations
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
// biome-ignore lint/suspicious/noEmptyInterface: an action without options.
export interface GenerationsAction {}

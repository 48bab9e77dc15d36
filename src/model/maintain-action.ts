// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the actions that the playbooks are made of.

/**
 * Creates one image when it is missing and runs its own playbook.
 *
 * It acts on the host `inventory_hostname`, an image of the inventory plugin `nspawn.runner.chroots`, and runs on the controller, as root.
 * The playbook runs in an `ansible-playbook` of its own, limited to this image, with the inventory, configuration and flags of this run.
 * What that run prints is shown line by line behind the image's name, and kept whole in the file that `log` names.
 *
 * @kind action
 * @name maintain
 * @since 0.1.0
 * @check_mode full
 * @diff_mode full
 */
export interface MaintainAction {
  /**
   * Only creates the image, and runs its playbook only when it was created.
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

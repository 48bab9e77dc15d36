// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the action that checks a host.

/**
 * Shows whether this host is ready to make and maintain images, as a table: a line per check with `ok`, `warning` or `problem`, and the remedy.
 *
 * The action checks the controller and the images of the inventory, or those of `--limit`, whatever the host of the task is.
 * It starts a container with the host's programs, runs no program of a tree, and changes nothing.
 *
 * A problem makes a maintenance fail. A warning does not, but has caused trouble on other hosts.
 *
 * The action itself does not fail: the findings are in `problems` and `warnings_found`. The playbook `nspawn.runner.doctor` fails when there is a problem.
 *
 * @kind action
 * @name doctor
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
// biome-ignore lint/suspicious/noEmptyInterface: an action without options.
export interface DoctorAction {}

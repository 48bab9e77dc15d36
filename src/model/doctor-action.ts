// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Arguments of the action that looks at a host.

/**
 * Shows whether this host is ready to make and maintain images, as a table: a line per check with `ok`, `warning` or `problem`, and the remedy.
 *
 * It looks at the controller itself and at the images of the inventory, those of `--limit` where it is given, whatever the host of the task is.
 * It starts a container with this host's own programs, runs nothing of a tree, and changes nothing.
 *
 * A problem makes a maintenance fail. A warning does not, but has bitten others.
 *
 * It does not fail by itself: what it found is in `problems` and `warnings_found`. The playbook `nspawn.runner.doctor` fails when there is a problem.
 *
 * @kind action
 * @name doctor
 * @since 0.1.0
 * @check_mode full
 * @diff_mode none
 */
// biome-ignore lint/suspicious/noEmptyInterface: an action without options.
export interface DoctorAction {}

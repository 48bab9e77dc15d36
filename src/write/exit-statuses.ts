// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/exit_statuses.py`, and the same for the wrapper: the exit statuses of the wrapper itself.

import type { Spec } from "../ir/spec.ts";
import { assignment } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function exitStatusesFile({ exit_statuses }: Spec): string {
  const constants = exit_statuses.rows.map(
    ({ name, status, when }) => `# ${when}\n${assignment(name.toUpperCase(), "int", status)}`,
  );
  return pythonModule([exit_statuses.source], "Exit statuses of nspawn-chroot itself.", constants.join("\n"));
}

/** Assignments for the wrapper. */
export const exitStatusesSh = ({ exit_statuses }: Spec): readonly string[] =>
  exit_statuses.rows.map(({ name, status, when }) => `# ${when}\nnspawn_status_${name}=${status}\n`);

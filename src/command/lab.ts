// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm run lab -- run COMMAND...`: one command on a throw-away Debian host with systemd as PID 1.

import { constants } from "node:os";
import { type LabOptions, startLab } from "../lab/lab.ts";
import type { Print } from "../tool/print.ts";

/**
 * Starts a lab, runs the command there on the terminal, and stops the lab, also when a signal ends this process.
 *
 * @returns the command's exit status; 128 + N after signal N; 2 when this is not root.
 */
export async function lab(print: Print, options: LabOptions, command: readonly string[]): Promise<number> {
  if (process.getuid?.() !== 0) {
    print("The lab boots a container, which requires root.");
    return 2;
  }
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const)
      process.once(signal, () => resolve(128 + constants.signals[signal]));
  });
  const host = await startLab(options);
  try {
    if (host.failedUnits.length > 0) print(`Failed at boot: ${host.failedUnits.join(", ")}`);
    const ended = host.run(command, { terminal: true }).then(({ exitCode }) => exitCode);
    return await Promise.race([interrupted, ended]);
  } finally {
    await host.stop();
  }
}

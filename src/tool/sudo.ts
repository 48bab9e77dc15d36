// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// sudo: commands that only root may run.

import { runOnTerminal } from "./run.ts";

/** Package of sudo, for the message when the program is missing. */
export const sudoPackage = "Debian's package sudo";

/** The command itself for root, else behind sudo. sudo drops the environment, so env(1) sets the variables. */
export function asRoot(
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): readonly [string, ...string[]] {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const command = assignments.length > 0 ? (["env", ...assignments, ...argv] as const) : argv;
  return process.getuid?.() === 0 ? command : ["sudo", ...command];
}

/** Runs a command as root on the terminal. Throws a ToolError when it fails. */
export async function runAsRoot(
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const [program, ...args] = asRoot(argv, env);
  await runOnTerminal(program, args, sudoPackage);
}

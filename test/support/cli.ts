// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The development commands, run from the source.

import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { asNobody } from "./ansible.ts";

const top = fileURLToPath(new URL("../../", import.meta.url));

export interface CliResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `src/cli.ts` with a directory as the checkout; never throws for the exit code. */
export async function cli(
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
  under: readonly string[] = [],
): Promise<CliResult> {
  const tsx = ["--import", import.meta.resolve("tsx"), `${top}src/cli.ts`];
  const [program, ...rest] = [...under, process.execPath, ...tsx, ...args] as [string, ...string[]];
  const { exitCode, stdout, stderr } = await execa(program, rest, { cwd, env, reject: false, stdin: "ignore" });
  return { exitCode, stdout, stderr };
}

/** The same as a user without root rights, from a checkout that root alone may be able to enter. */
export const cliWithoutRoot = (cwd: string, args: readonly string[]): Promise<CliResult> =>
  cli(cwd, args, {}, process.getuid?.() === 0 ? asNobody : []);

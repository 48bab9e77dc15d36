// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The development commands, run from their source.

import { fileURLToPath } from "node:url";
import { execa } from "execa";

const top = fileURLToPath(new URL("../../", import.meta.url));

export interface CliResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `src/cli.ts` with a directory as the checkout; never throws for the exit code. */
export async function cli(cwd: string, args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), `${top}src/cli.ts`, ...args],
    { cwd, env, reject: false, stdin: "ignore" },
  );
  return { exitCode, stdout, stderr };
}

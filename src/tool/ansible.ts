// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// ansible-playbook and Ansible's other programs, for the development commands.

import { run } from "./run.ts";
import { asRoot, sudoPackage } from "./sudo.ts";

export interface Recap {
  readonly ok: number;
  readonly changed: number;
  readonly unreachable: number;
  readonly failed: number;
}

export interface PlaybookRun {
  readonly exitCode: number;
  /** Counts of each host, from PLAY RECAP. */
  readonly recap: ReadonlyMap<string, Recap>;
}

/** Runs an Ansible program as root on the terminal, and reads the recap in its output. */
export async function ansibleOnTerminal(
  argv: readonly [string, ...string[]],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<PlaybookRun> {
  const [program, ...args] = asRoot(argv, env);
  const { exitCode, output } = await run(program, args, { cwd, from: sudoPackage, answers: "any", onTerminal: true });
  return { exitCode, recap: readRecap(output) };
}

/** Reads `host : ok=1 changed=0 ...` lines, with or without colours. */
export function readRecap(output: string): Map<string, Recap> {
  const recap = new Map<string, Recap>();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with the escape character.
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  for (const [, host, counts] of plain.matchAll(/^(\S+)\s+:\s+(ok=\d+.*)$/gm)) {
    const count = (name: string): number => Number(new RegExp(`\\b${name}=(\\d+)`).exec(counts as string)?.[1] ?? 0);
    recap.set(host as string, {
      ok: count("ok"),
      changed: count("changed"),
      unreachable: count("unreachable"),
      failed: count("failed"),
    });
  }
  return recap;
}

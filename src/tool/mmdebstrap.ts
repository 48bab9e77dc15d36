// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Debian trees by mmdebstrap, each made once and kept in the cache.

import { createHash } from "node:crypto";
import { cached } from "./cache.ts";
import { run, ToolError } from "./run.ts";

export const suites = ["bookworm", "trixie", "forky", "sid"] as const;

export type Suite = (typeof suites)[number];

/** Their release files are valid for a week; a mirror, or the freeze of one, can be older. The signature is checked all the same. */
const rolling: readonly Suite[] = ["forky", "sid"];

/**
 * The cached tree of a suite; another recipe is another tree. It is shared, and not to be changed.
 *
 * @param kind Begins the name of the tree in the cache.
 * @param recipe Options of mmdebstrap.
 * @param finish Changes the new tree before it is shared.
 * @throws {ToolError} in one line, when the archive cannot be reached or some package of it cannot be installed.
 */
export function debian(
  kind: string,
  suite: Suite,
  recipe: readonly string[],
  finish: (tree: string) => Promise<void> = async () => {},
): Promise<string> {
  const stale = rolling.includes(suite) ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : [];
  const args = ["--format=directory", "--variant=minbase", ...stale, ...recipe, suite];
  const key = createHash("sha256").update(JSON.stringify(args)).digest("hex").slice(0, 12);
  return cached(`${kind}-${suite}-${key}`, async (tree) => {
    await make(suite, [...args, tree]);
    await finish(tree);
  });
}

async function make(suite: Suite, args: readonly string[]): Promise<void> {
  const { exitCode, output } = await run("mmdebstrap", args, { from: "Debian's package mmdebstrap", answers: "any" });
  if (exitCode === 0) return;
  throw new ToolError(`mmdebstrap ${suite}`, exitCode, `no tree of Debian ${suite} can be made: ${reason(output)}`);
}

/** What apt, dpkg and mmdebstrap said was wrong, from a long output; the last line where they said nothing. */
function reason(output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  const wrong = lines.filter((line) => /^(E: |dpkg: error|\S+ : Depends: )/.test(line));
  return [...new Set(wrong)].slice(0, 5).join("; ") || (lines.filter(Boolean).at(-1) ?? "it printed nothing");
}

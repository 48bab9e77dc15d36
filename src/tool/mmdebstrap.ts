// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// mmdebstrap: Debian trees, each made once and kept in the cache.

import { createHash } from "node:crypto";
import { cached } from "./cache.ts";
import { run, ToolError } from "./run.ts";

export const suites = ["bookworm", "trixie", "forky", "sid"] as const;

export type Suite = (typeof suites)[number];

/** Suites whose release file is valid for a week only: a mirror can be older. apt still checks the signature. */
const rolling: readonly Suite[] = ["forky", "sid"];

/**
 * The cached tree of a suite and a recipe. The tree is shared: copy it, never change it.
 *
 * @param kind First part of the tree's name in the cache.
 * @param recipe Options of mmdebstrap.
 * @param finish Changes the new tree before it is shared.
 * @throws {ToolError} in one line, when the archive cannot be reached or a package cannot be installed.
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
  throw new ToolError(`mmdebstrap ${suite}`, exitCode, `the tree of Debian ${suite} cannot be made: ${reason(output)}`);
}

/** The error messages of apt, dpkg and mmdebstrap in a long output, else the last line. */
function reason(output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  const wrong = lines.filter((line) => /^(E: |dpkg: error|\S+ : Depends: )/.test(line));
  return [...new Set(wrong)].slice(0, 5).join("; ") || (lines.filter(Boolean).at(-1) ?? "it printed nothing");
}

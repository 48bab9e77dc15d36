// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// git: the contents of a checkout.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.ts";

/** Runs git in a checkout, and returns its output. */
export const git = async (root: string, ...args: string[]): Promise<string> =>
  (await run("git", args, { cwd: root, from: "Debian's package git" })).output;

/** Paths of the files that git knows; null for a directory that is no checkout, such as an unpacked source archive. */
export async function trackedFiles(root: string): Promise<ReadonlySet<string> | null> {
  if (!existsSync(join(root, ".git"))) return null;
  return new Set((await git(root, "ls-files", "-z")).split("\0"));
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The differences between the disk and a plan.

import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { listFiles } from "./directory.ts";
import type { Plan, PlannedFile } from "./plan.ts";

export interface Difference {
  readonly path: string;
  /** The planned file; null for an orphan. */
  readonly want: PlannedFile | null;
  /** The file on disk; null when there is none, or no regular file. */
  readonly have: { readonly content: Buffer; readonly mode: number } | null;
}

/** Compares the files of a plan with the disk, and finds orphans: files in the directory `owned` that are not in the plan. */
export async function compare(root: string, plan: Plan, owned: string): Promise<readonly Difference[]> {
  const planned = await Promise.all(
    [...plan].map(async ([path, want]) => ({ path, want, have: await readPlain(join(root, path)) })),
  );
  const orphans = (await listFiles(root, owned)).filter((path) => !plan.has(path));
  return [
    ...planned.filter(
      ({ want, have }) => !have || have.mode !== want.mode || !have.content.equals(Buffer.from(want.content)),
    ),
    ...(await Promise.all(
      orphans.map(async (path) => ({ path, want: null, have: await readPlain(join(root, path)) })),
    )),
  ];
}

/** A unified diff for `git apply`. */
export function unifiedDiff(differences: readonly Difference[]): string {
  return differences.map(patch).join("");
}

function patch({ path, want, have }: Difference): string {
  const mode =
    want && have && want.mode !== have.mode ? `old mode ${octal(have.mode)}\nnew mode ${octal(want.mode)}\n` : "";
  const oldText = have?.content.toString() ?? "";
  const newText = want ? Buffer.from(want.content).toString() : "";
  const heading = mode === "" ? "" : `diff --git a/${path} b/${path}\n${mode}`;
  if (oldText === newText && have) return want ? heading : `${heading}deleted: ${path}\n`;
  const text = createTwoFilesPatch(
    have ? `a/${path}` : "/dev/null",
    want ? `b/${path}` : "/dev/null",
    oldText,
    newText,
  );
  return heading + text.replace(/^=+\n/, "");
}

const octal = (mode: number): string => `100${mode.toString(8)}`;

async function readPlain(path: string): Promise<Difference["have"]> {
  const stats = await lstat(path).catch(() => null);
  if (!stats?.isFile()) return null;
  return { content: await readFile(path), mode: stats.mode & 0o111 ? 0o755 : 0o644 };
}

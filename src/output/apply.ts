// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Brings the disk to a plan: the only file that writes generated files.

import { chmod, mkdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Difference } from "./compare.ts";

/** Writes the files that differ, and deletes orphans. */
export async function apply(root: string, differences: readonly Difference[]): Promise<void> {
  // Deletions first: an orphan may be in the way, such as a link in place of a directory.
  for (const { path, want } of differences) {
    if (want) continue;
    await rm(join(root, path), { force: true });
    await removeEmpty(root, dirname(path));
  }
  for (const { path, want } of differences) {
    if (!want) continue;
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    const fresh = `${target}.new-${process.pid}`;
    await writeFile(fresh, want.content);
    await chmod(fresh, want.mode);
    await rename(fresh, target);
  }
}

/** Removes empty directories, from this one upwards. */
async function removeEmpty(root: string, directory: string): Promise<void> {
  if (directory === ".") return;
  try {
    await rmdir(join(root, directory));
  } catch {
    return;
  }
  await removeEmpty(root, dirname(directory));
}

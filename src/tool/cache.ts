// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The cache: Debian trees and virtual environments, which take minutes to make and may be deleted. All clones of the repository share it.

import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** `$XDG_CACHE_HOME/nspawn-runner`, else `~/.cache/nspawn-runner`. */
export const cacheDirectory = (): string =>
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "nspawn-runner");

/**
 * The cached directory of this name. When there is none, `make` fills a new directory, which gets the name once it is complete: a killed
 * run never leaves an incomplete entry.
 */
export async function cached(name: string, make: (directory: string) => Promise<void>): Promise<string> {
  const target = join(cacheDirectory(), name);
  if (await exists(target)) return target;
  await mkdir(cacheDirectory(), { recursive: true, mode: 0o700 });
  const fresh = await mkdtemp(`${target}.new-`);
  try {
    await make(fresh);
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    // Another process may have made the entry meanwhile.
    if (!(await exists(target))) throw error;
  }
  return target;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file system in which the kernel cannot map the owners of files.

import { join } from "node:path";
import { execa } from "execa";
import { files, scratch } from "./scratch.ts";

/** Mounts an overlay for the time of a test, and returns the directory. */
export async function unmappable(): Promise<string> {
  const base = await files(scratch(), { "lower/": "", "upper/": "", "work/": "", "merged/": "" });
  const options = `lowerdir=${base}/lower,upperdir=${base}/upper,workdir=${base}/work`;
  await execa("mount", ["-t", "overlay", "-o", options, "overlay", join(base, "merged")]);
  return join(base, "merged");
}

/** The error about a tree or a bind there. */
export const notMapped = (path: string): string =>
  `the owners of the files in ${path} cannot be mapped for a user namespace (Invalid argument)`;

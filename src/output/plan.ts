// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A plan: the files that shall be on disk, before anything is written.

export interface PlannedFile {
  readonly content: string | Uint8Array;
  readonly mode: 0o644 | 0o755;
}

/** Path below a root -> file, in the order of the paths. */
export type Plan = ReadonlyMap<string, PlannedFile>;

/** Makes a plan. Throws when two writers have one path, or when a path leaves the root. */
export function planFiles(files: Iterable<readonly [path: string, file: PlannedFile]>): Plan {
  const plan = new Map<string, PlannedFile>();
  for (const [path, file] of files) {
    if (path.startsWith("/") || path.split("/").some((part) => part === "" || part === "." || part === "..")) {
      throw new Error(`${path} is not a path below the output's directory.`);
    }
    if (plan.has(path)) throw new Error(`Two writers want ${path}.`);
    plan.set(path, file);
  }
  return new Map([...plan].sort(([a], [b]) => (a < b ? -1 : 1)));
}

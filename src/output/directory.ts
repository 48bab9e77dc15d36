// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The files in a directory.

import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Paths, relative to `root`, of everything in `directory` that is not a directory. Links are not followed. Python's bytecode is left out.
 */
export async function listFiles(root: string, directory: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, directory), { withFileTypes: true }).catch(absent);
  const paths = await Promise.all(
    entries
      .filter(({ name }) => name !== "__pycache__" && !name.endsWith(".pyc"))
      .map(async (entry) => {
        const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
        return entry.isDirectory() ? listFiles(root, path) : [path];
      }),
  );
  return paths.flat().sort();
}

function absent(error: NodeJS.ErrnoException): [] {
  if (error.code === "ENOENT") return [];
  throw error;
}

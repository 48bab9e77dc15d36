// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// What stands in a directory of ours.

import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Paths below `root` of all files in `directory`, and of whatever else is no directory: links are not followed.
 * What Python leaves behind is passed over.
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

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A small model on disk, correct or with a mistake.

import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const minimal = fileURLToPath(new URL("../case/minimal/", import.meta.url));

/** Copies the model of the golden case `minimal` and `package.json` into a directory, and replaces texts in the files. */
export async function modelCheckout(
  directory: string,
  edits: readonly (readonly [file: string, from: string, to: string])[] = [],
): Promise<string> {
  for (const name of ["package.json", "src"])
    await cp(join(minimal, "in", name), join(directory, name), { recursive: true });
  for (const [file, from, to] of edits) {
    const path = join(directory, "src/model", file);
    const text = await readFile(path, "utf8");
    // An edit that finds nothing would test nothing.
    if (text.split(from).length !== 2) throw new Error(`${file} has not exactly one ${JSON.stringify(from)}`);
    await writeFile(
      path,
      text.replace(from, () => to),
    );
  }
  return directory;
}

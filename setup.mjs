// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Installs the npm packages of a fresh clone, or after the lock file has changed. Plain JavaScript: it runs before there is anything else.

import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { chdir } from "node:process";
import { fileURLToPath } from "node:url";

chdir(dirname(fileURLToPath(import.meta.url)));

const needed = 20;
if (Number.parseInt(process.versions.node, 10) < needed) {
  console.error(`Node.js ${process.versions.node} is too old: ${needed} or later is needed.`);
  process.exit(2);
}

// npm writes this file at the end of an installation.
if (modified("node_modules/.package-lock.json") < modified("package-lock.json")) {
  console.error("Installing the npm packages of package-lock.json ...");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { stdio: "inherit" });
  process.exit(status === 0 ? 0 : 2);
}

/** @param {string} file */
function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

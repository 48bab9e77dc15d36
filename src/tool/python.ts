// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// python3 and pip: virtual environments with programs from PyPI, each made once and kept in the cache.

import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "./cache.ts";
import type { Print } from "./print.ts";
import { run } from "./run.ts";

const FROM = "Debian's package python3-venv";

/**
 * Makes a virtual environment with these exact requirements, or finds the cached one.
 *
 * @returns The directory of the environment's programs.
 * @throws {ToolError} when PyPI cannot be reached or lacks a package.
 */
export async function virtualEnvironment(requirements: readonly string[], print: Print): Promise<string> {
  const directory = join(cacheDirectory(), `venv-${requirements.join("-").replace(/[^A-Za-z0-9.-]+/g, "-")}`);
  const complete = join(directory, "complete");
  // The scripts of a virtual environment contain its path, so a rename would break them: a mark says that the environment is complete.
  if ((await stat(complete).catch(() => null)) === null) {
    print(`Installing from PyPI: ${requirements.join(" ")}`);
    await rm(directory, { recursive: true, force: true });
    await mkdir(cacheDirectory(), { recursive: true, mode: 0o700 });
    await run("python3", ["-m", "venv", directory], { from: FROM });
    await run(join(directory, "bin/pip"), ["install", "--quiet", ...requirements], { from: FROM });
    await writeFile(complete, "");
  }
  return join(directory, "bin");
}

/** Version of python3 and of all virtual environments, such as 3.11. */
export async function pythonVersion(): Promise<string> {
  const program = 'import sys; print("%d.%d" % sys.version_info[:2])';
  return (await run("python3", ["-c", program], { from: "Debian's package python3" })).output;
}

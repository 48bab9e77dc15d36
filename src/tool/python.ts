// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// python3 and pip: virtual environments with programs from PyPI, each made once and kept in the cache.

import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { cacheDirectory } from "./cache.ts";
import type { Print } from "./print.ts";
import { type Run, run } from "./run.ts";

/** Python of this machine, or of a host that has the cache directory at the same path. */
export interface Python {
  readonly run: Run;
  /** Begins the names of its virtual environments. */
  readonly prefix: string;
}

export const thisPython: Python = { run, prefix: "venv" };

const FROM = "Debian's package python3-venv";

/**
 * Makes a virtual environment with these exact requirements, or finds the cached one.
 *
 * @returns The directory of the environment's programs.
 * @throws {ToolError} when PyPI cannot be reached or lacks a package.
 */
export async function virtualEnvironment(
  requirements: readonly string[],
  print: Print,
  python: Python = thisPython,
): Promise<string> {
  const name = [python.prefix, await pythonVersion(python), ...requirements].join("-");
  const directory = join(cacheDirectory(), name.replace(/[^A-Za-z0-9.-]+/g, "-"));
  const complete = join(directory, "complete");
  // The scripts of a virtual environment contain its path, so a rename would break them: a mark says that the environment is complete.
  if ((await stat(complete).catch(() => null)) === null) {
    print(`Installing from PyPI: ${requirements.join(" ")}`);
    await rm(directory, { recursive: true, force: true });
    await mkdir(cacheDirectory(), { recursive: true, mode: 0o700 });
    await python.run("python3", ["-m", "venv", directory], { from: FROM });
    await python.run(join(directory, "bin/pip"), ["install", "--quiet", ...requirements], { from: FROM });
    await writeFile(complete, "");
  }
  return join(directory, "bin");
}

/** Version of the Python of virtual environments, such as 3.11. */
export async function pythonVersion(python: Python = thisPython): Promise<string> {
  const program = 'import sys; print("%d.%d" % sys.version_info[:2])';
  return (await python.run("python3", ["-c", program], { from: "Debian's package python3" })).output;
}

/** Parent of the directory of this user's configuration of pip. */
export const configurationDirectory = (): string => process.env["XDG_CONFIG_HOME"] || join(homedir(), ".config");

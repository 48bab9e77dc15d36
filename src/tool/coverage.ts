// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which lines of the collection's Python run while a command runs, in whatever process on this host: Ansible's forks, modules in their zip
// files, programs of the collection's own.

import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

/** Where the packages of Debian's Python are, whatever its version. */
const PACKAGES = "/usr/lib/python3/dist-packages";
const from = "Debian's package python3-coverage";

export interface CoverageOptions {
  /** Path that ends in `ansible_collections/NAMESPACE/NAME`. Copies of it count too, and parts of it in zip files. */
  readonly collection: string;
  /** Names of files that are left out. */
  readonly omit: readonly string[];
  /** Percentage of lines that is enough. */
  readonly enough: number;
}

/** How to start a command so that it is measured. */
export interface Measurement {
  /** Program and arguments that it runs under. */
  readonly under: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Coverage {
  /** A table: file, statements, how many of them did not run, percentage, their lines. */
  readonly table: string;
  readonly isEnough: boolean;
}

/** @param directory An empty one, for what is measured. */
export async function measurement(directory: string, options: CoverageOptions): Promise<Measurement> {
  const data = join(directory, "data");
  await mkdir(data);
  // Tests run as other users too.
  await chmod(directory, 0o755);
  await chmod(data, 0o1777);
  await writeFile(configuration(directory), settings(join(data, "run"), options));
  // For the command alone, and gone with it.
  const mount = `mount -t overlay -o 'lowerdir=${join(import.meta.dirname, "coverage")}:${PACKAGES}' coverage ${PACKAGES}`;
  return {
    under: ["unshare", "--mount", "/bin/sh", "-c", `${mount} && exec "$@"`, "sh"],
    env: { COVERAGE_PROCESS_START: configuration(directory) },
  };
}

const configuration = (directory: string): string => join(directory, "configuration");

function settings(file: string, { collection, omit, enough }: CoverageOptions): string {
  const anywhere = `*/${collection.split("/").slice(-3).join("/")}/plugins`;
  const report = ["show_missing = true", "skip_covered = true", "sort = cover", `fail_under = ${enough}`];
  return [
    ...["[run]", "parallel = true", `data_file = ${file}`, `include = ${anywhere}/*`],
    ...["[paths]", "plugins =", `  ${join(collection, "plugins")}`, `  ${anywhere}`],
    // Ansible makes a package of each directory, of a file that is not there.
    ...["[report]", ...report, "omit =", "  */__init__.py", ...omit.map((name) => `  */${name}`), ""],
  ].join("\n");
}

/** What was measured in the directory by a command that has ended. */
export async function coverage(directory: string, { collection }: CoverageOptions): Promise<Coverage> {
  const plugins = join(collection, "plugins");
  const command = (args: readonly [string, ...string[]], answers = [0]) => {
    const [verb, ...rest] = args;
    const argv = ["-m", "coverage", verb, `--rcfile=${configuration(directory)}`, ...rest];
    return run("/usr/bin/python3", argv, { cwd: plugins, from, answers });
  };
  // A file that was never loaded counts with all of its lines.
  const kinds = await readdir(plugins);
  await command(["run", `--source=${kinds.map((kind) => join(plugins, kind)).join(",")}`, "/dev/null"]);
  await command(["combine"]);
  const { exitCode, output } = await command(["report"], [0, 2]);
  return { table: output, isEnough: exitCode === 0 };
}

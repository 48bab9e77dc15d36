// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Python's coverage: the lines of the collection's Python that run during a command, in any process on this host: Ansible's forks, modules in
// zip files, programs of the collection.

import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

/** Directory of the packages of Debian's Python, of any version. */
const PACKAGES = "/usr/lib/python3/dist-packages";
const from = "Debian's package python3-coverage";

export interface CoverageOptions {
  /** Path that ends in `ansible_collections/NAMESPACE/NAME`. Copies of this directory count too, also in zip files. */
  readonly collection: string;
  /** Names of files that do not count. */
  readonly omit: readonly string[];
  /** Percentage of lines that is enough. */
  readonly enough: number;
}

/** Wrapper and environment of a command that is measured. */
export interface Measurement {
  /** Program and arguments that the command runs under. */
  readonly under: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Coverage {
  /** A table: file, statements, statements that did not run, percentage, lines that did not run. */
  readonly table: string;
  readonly isEnough: boolean;
}

/** @param directory An empty directory for the measured data. */
export async function measurement(directory: string, options: CoverageOptions): Promise<Measurement> {
  const data = join(directory, "data");
  await mkdir(data);
  // Tests run as other users too.
  await chmod(directory, 0o755);
  await chmod(data, 0o1777);
  await writeFile(configuration(directory), settings(join(data, "run"), options));
  // Only the command sees this mount, which vanishes with the command.
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
    // Ansible makes a Python package of each directory, with a virtual file __init__.py.
    ...["[report]", ...report, "omit =", "  */__init__.py", ...omit.map((name) => `  */${name}`), ""],
  ].join("\n");
}

/** Evaluates the data of a command that has ended. */
export async function coverage(directory: string, { collection }: CoverageOptions): Promise<Coverage> {
  const plugins = join(collection, "plugins");
  const command = (args: readonly [string, ...string[]], answers = [0]) => {
    const [verb, ...rest] = args;
    const argv = ["-m", "coverage", verb, `--rcfile=${configuration(directory)}`, ...rest];
    return run("/usr/bin/python3", argv, { cwd: plugins, from, answers });
  };
  // A file that was never loaded counts with all its lines.
  const kinds = await readdir(plugins);
  await command(["run", `--source=${kinds.map((kind) => join(plugins, kind)).join(",")}`, "/dev/null"]);
  await command(["combine"]);
  const { exitCode, output } = await command(["report"], [0, 2]);
  return { table: output, isEnough: exitCode === 0 };
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm test`: installs the packages that the chosen tests need, runs the tests, and counts. `npm run test:matrix`: the ecosystem's checkers,
// and real runs with other versions of Ansible. `npm test -- --lab SUITE`: the tests on a booted Debian host in a container.

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BUILD } from "../artifact/build.ts";
import { matrix as runMatrix } from "../gate/matrix.ts";
import { vitestOnLab } from "../lab/tests.ts";
import { installPackages, testPackages } from "../tool/apt.ts";
import { coverage as measured, measurement } from "../tool/coverage.ts";
import type { Suite } from "../tool/mmdebstrap.ts";
import type { Print } from "../tool/print.ts";
import { pytest } from "../tool/pytest.ts";
import { type Counts, countsText, none, projects, sum, vitest } from "../tool/vitest.ts";

/** Files that run in images, under the images' Python, are not measured. */
const unmeasured = ["_session/agent.py"];

/** Percentage of the lines of Python that all tests together have to run. */
const enough = 90;

const names = projects.map(({ name }) => name);
const usual = projects.filter((project) => project.usual).map(({ name }) => name);
const withoutRoot = projects.filter(({ artifact }) => !artifact).map(({ name }) => name);

interface Options {
  readonly matrix?: boolean;
  readonly coverage?: boolean;
  readonly lab?: Suite;
}

/**
 * Runs the tests, ends with a line `N passed, N failed`. With `coverage` all usual tests run, and the lines of the collection's Python
 * that ran are measured.
 *
 * @param filters Names of vitest projects, and parts of test files' paths; none means all usual projects. In the matrix: parts of test
 *   files' paths, which have a slash, and of gates' names.
 * @returns 0 when none failed and, with `CI=true`, none was skipped; 1 otherwise, also when there was no test; 2 without root where the
 *   tests need root.
 */
export async function test(print: Print, options: Options, filters: readonly string[]): Promise<number> {
  const total = await counts(print, options, filters);
  if (total === null) return 2;
  print("");
  for (const failure of total.failures) print(`failed: ${failure}`);
  print(countsText(total));
  const strict = process.env["CI"] === "true";
  return total.failed > 0 || total.passed + total.skipped === 0 || (strict && total.skipped > 0) ? 1 : 0;
}

/** Null without root where the tests need root. */
async function counts(print: Print, options: Options, filters: readonly string[]): Promise<Counts | null> {
  const isRoot = process.getuid?.() === 0;
  if (options.matrix || options.lab) {
    if (!isRoot) return refused(print, options.matrix ? "the matrix" : "the lab");
    await installPackages(options.matrix ? [...testPackages, "python3-venv"] : testPackages, print);
    if (options.matrix) return runMatrix(filters, print);
    const paths = filters.length > 0 ? filters.map(path) : [...usual, "lab"].map(path);
    return (await vitestOnLab(options.lab as Suite, paths)).counts;
  }
  const paths = (options.coverage || filters.length === 0 ? usual : filters).map(path);
  const files = (await testFiles()).filter((file) => paths.some((part) => file.includes(part.replace(/:\d+$/, ""))));
  const chosen = projects.filter(({ name }) => files.some((file) => file.startsWith(path(name))));
  if (chosen.length === 0) {
    print(`No test has a path with ${filters.join(" or ")}. The projects are ${names.join(", ")}.`);
    if (filters.includes("lab")) print("The tests of lab run on a booted host: npm test -- --lab trixie lab");
  }
  if (!isRoot && chosen.some(({ artifact }) => artifact))
    return refused(print, chosen.flatMap(({ name, artifact }) => (artifact ? [name] : [])).join(", "));
  await installPackages([...new Set(chosen.flatMap(({ packages }) => packages))], print);
  return options.coverage ? measuredTests(paths, files, print) : run(paths, files, print);
}

function refused(print: Print, tests: string): null {
  print(`The tests of ${tests} start containers and mount file systems: run them as root.`);
  print(`Tests that need no root: npm test -- ${withoutRoot.join(" ")}`);
  return null;
}

/** The name of a project stands for the tests in the folder. */
const path = (filter: string): string => (names.includes(filter) ? `test/${filter}/` : filter);

async function testFiles(): Promise<readonly string[]> {
  const files = (await readdir("test", { recursive: true })).map((file) => join("test", file));
  const isOnLab = Boolean(process.env["NSPAWN_RUNNER_LAB"]);
  return files.filter((file) =>
    file.endsWith(".test.ts") ? isOnLab || !file.startsWith("test/lab/") : isPython(file),
  );
}

const isPython = (file: string): boolean => /^test\/unit\/python\/(.*\/)?test_\w+\.py$/.test(file);

/** @param paths Parts of the paths of these files, for vitest. */
async function run(
  paths: readonly string[],
  files: readonly string[],
  print: Print,
  { under = [], env = {} }: { under?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Promise<Counts> {
  const python = files.filter(isPython);
  return sum([
    files.length > python.length ? await vitest(paths, { under, env }) : none,
    python.length > 0 ? await pytest(python, print, { under, env }) : none,
  ]);
}

/** Too few lines that ran are one failure more. */
async function measuredTests(paths: readonly string[], files: readonly string[], print: Print): Promise<Counts> {
  const directory = await mkdtemp("/var/tmp/nspawn-runner-coverage-");
  try {
    const collection = resolve(BUILD);
    const options = { collection, omit: unmeasured, enough };
    const { under, env } = await measurement(directory, options);
    // The Python unit tests import the collection that the set-up of the other tests has built.
    const built = { NSPAWN_RUNNER_COLLECTION: collection };
    const tests = await run(paths, files, print, { under, env: { ...env, ...built } });
    const { table, isEnough } = await measured(directory, options);
    print(`\nPython of the collection, without ${unmeasured.join(", ")}, which runs in images\n\n${table}`);
    const failures = isEnough ? [] : [`coverage: ${table.split("\n").at(-1)}`];
    return sum([tests, { ...none, passed: isEnough ? 1 : 0, failed: isEnough ? 0 : 1, failures }]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

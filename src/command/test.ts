// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm test`: installs what the tests need, runs them, and counts. `npm run test:matrix`: what checkers and other versions of Ansible say.
// `npm test -- --lab SUITE`: the tests on a booted Debian host in a container.

import { mkdtemp, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { BUILD } from "../artifact/build.ts";
import { matrix as runMatrix } from "../gate/matrix.ts";
import { vitestOnLab } from "../lab/tests.ts";
import { installPackages, testPackages } from "../tool/apt.ts";
import { coverage as measured, measurement } from "../tool/coverage.ts";
import type { Suite } from "../tool/mmdebstrap.ts";
import { type Counts, countsText, none, sum, vitest } from "../tool/vitest.ts";

/** What runs in images, with their Python, is not measured. */
const unmeasured = ["_session/agent.py"];

/** Percentage of the lines of Python that all tests together have to run. */
const enough = 90;

/**
 * Runs the tests, ends with a line `N passed, N failed`. With `coverage` all of them also say which lines of the
 * collection's Python they ran.
 *
 * @param filters Parts of test files' paths; in the matrix, those without a slash are parts of gates' names. None means all.
 * @returns 0 when none failed and, with `CI=true`, none was skipped; else 1, also when there was none.
 */
export async function test(
  print: (line: string) => void,
  { matrix = false, coverage = false, lab }: { matrix?: boolean; coverage?: boolean; lab?: Suite },
  filters: readonly string[],
): Promise<number> {
  if (process.getuid?.() !== 0) {
    print("The tests start containers and make file systems: run them as root.");
    return 2;
  }
  await installPackages(matrix ? [...testPackages, "python3-venv"] : testPackages, print);
  let total: Counts;
  if (matrix) total = await runMatrix(filters, print);
  else if (lab) total = (await vitestOnLab(lab, filters)).counts;
  else if (coverage) total = await measuredTests(print);
  else total = await vitest(filters);
  print("");
  for (const failure of total.failures) print(`failed: ${failure}`);
  print(countsText(total));
  const strict = process.env["CI"] === "true";
  return total.failed > 0 || total.passed + total.skipped === 0 || (strict && total.skipped > 0) ? 1 : 0;
}

/** That too few lines ran is a failure among theirs. */
async function measuredTests(print: (line: string) => void): Promise<Counts> {
  const directory = await mkdtemp("/var/tmp/nspawn-runner-coverage-");
  try {
    const options = { collection: resolve(BUILD), omit: unmeasured, enough };
    const tests = await vitest([], await measurement(directory, options));
    const { table, isEnough } = await measured(directory, options);
    print(`\nPython of the collection, without ${unmeasured.join(", ")}, which runs in images\n\n${table}`);
    const failures = isEnough ? [] : [`coverage: ${table.split("\n").at(-1)}`];
    return sum([tests, { ...none, passed: isEnough ? 1 : 0, failed: isEnough ? 0 : 1, failures }]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm test`: installs what the tests need, runs them, and counts. `npm run test:matrix`: the tests of real Ansible runs, once for each
// other ansible-core, from PyPI.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { installPackages, testPackages } from "../tool/apt.ts";
import { virtualEnvironment } from "../tool/python.ts";

/** What is run under each ansible-core of the matrix: all tests that start Ansible. */
const matrixTests = ["test/ansible"];

/** The versions of ansible-core that `npm run test:matrix` adds to the installed one; as exact as a lock file. */
const matrixVersions = ["2.19.11"];

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Runs the tests, ends with a line `N passed, N failed`.
 *
 * @param filters Parts of test files' paths; none means all.
 * @returns 0 when none failed and, with `CI=true`, none was skipped; else 1.
 */
export async function test(
  print: (line: string) => void,
  { matrix = false }: { matrix?: boolean },
  filters: readonly string[],
): Promise<number> {
  if (process.getuid?.() !== 0) {
    print("The tests start containers and make file systems: run them as root.");
    return 2;
  }
  await installPackages(matrix ? [...testPackages, "python3-venv"] : testPackages, print);
  const runs: Counts[] = [];
  if (!matrix) {
    runs.push(await vitest(filters, {}));
  } else {
    for (const version of matrixVersions) {
      print(`\nansible-core ${version}`);
      const bin = await virtualEnvironment([`ansible-core==${version}`], print);
      const counts = await vitest(filters.length > 0 ? filters : matrixTests, { NSPAWN_RUNNER_ANSIBLE: bin });
      print(`ansible-core ${version}: ${counts.passed} passed, ${counts.failed} failed`);
      runs.push(counts);
    }
  }
  const total = sum(runs);
  print(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
  const strict = process.env["CI"] === "true";
  return total.failed > 0 || total.passed === 0 || (strict && total.skipped > 0) ? 1 : 0;
}

async function vitest(filters: readonly string[], env: Record<string, string>): Promise<Counts> {
  const directory = await mkdtemp(join(tmpdir(), "nspawn-runner-"));
  const report = join(directory, "report.json");
  try {
    const { exitCode } = await execa(
      "vitest",
      ["run", "--reporter=verbose", "--reporter=json", `--outputFile.json=${report}`, ...filters],
      { env, preferLocal: true, stdin: "ignore", stdout: "inherit", stderr: "inherit", reject: false },
    );
    const counts = JSON.parse(await readFile(report, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
      numPendingTests: number;
      numTodoTests: number;
      numFailedTestSuites: number;
    };
    // A file that fails to load, and an error outside of any test, have no failed test.
    const failed = Math.max(counts.numFailedTests, counts.numFailedTestSuites > 0 || exitCode !== 0 ? 1 : 0);
    return { passed: counts.numPassedTests, failed, skipped: counts.numPendingTests + counts.numTodoTests };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const sum = (runs: readonly Counts[]): Counts =>
  runs.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    { passed: 0, failed: 0, skipped: 0 },
  );

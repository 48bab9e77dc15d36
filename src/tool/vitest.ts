// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs vitest on the terminal, and counts.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** @param filters Parts of test files' paths; none means all. */
export async function vitest(filters: readonly string[], env: Readonly<Record<string, string>>): Promise<Counts> {
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

export const sum = (runs: readonly Counts[]): Counts =>
  runs.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    { passed: 0, failed: 0, skipped: 0 },
  );

/** `N passed, N failed`, the line that is read by machines. */
export const countsText = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// vitest: runs tests on the terminal, and counts.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { execa } from "execa";
import type { JsonTestResults } from "vitest/node";
import { testPackages } from "./apt.ts";

/** A vitest project: the tests in the folder of `test/` with the same name. */
export interface Project {
  readonly name: string;
  /** Whether the tests use the installed artifact. Such tests start containers and mount file systems, as root. */
  readonly artifact: boolean;
  /** Debian packages that the tests need. */
  readonly packages: readonly string[];
  /** Whether a run without filters has these tests. */
  readonly usual: boolean;
}

export const projects: readonly Project[] = [
  { name: "unit", artifact: false, packages: [], usual: true },
  { name: "case", artifact: false, packages: [], usual: true },
  { name: "cli", artifact: false, packages: ["ansible-core", "shellcheck"], usual: true },
  { name: "ansible", artifact: true, packages: testPackages, usual: true },
  { name: "nspawn", artifact: true, packages: testPackages, usual: true },
  // Minutes each: kills at random moments, crashes at each step, upgrades, creations of several images.
  { name: "endurance", artifact: true, packages: testPackages, usual: false },
  // For a host with systemd as PID 1.
  { name: "lab", artifact: true, packages: testPackages, usual: false },
];

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Failed tests and reasons, one line each, for the end of a log of thousands of lines. */
  readonly failures: readonly string[];
}

export const none: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** Maximum length of a failure's message in one line. */
const messageLength = 700;

/**
 * @param filters Parts of test files' paths.
 * @param options.under Program and arguments that vitest runs under.
 */
export function vitest(
  filters: readonly string[],
  { env = {}, under = [] }: { env?: Readonly<Record<string, string>>; under?: readonly string[] } = {},
): Promise<Counts> {
  return counted(filters, async (argv) => {
    const [program, ...args] = [...under, "vitest", ...argv];
    const options = { stdin: "ignore", stdout: "inherit", stderr: "inherit", reject: false } as const;
    return (await execa(program as string, args, { env, preferLocal: true, ...options })).exitCode;
  });
}

/**
 * Runs vitest and counts the tests in the report.
 *
 * @param start Starts vitest with these arguments and returns the exit status. The report is written in `directory`.
 * @param checkout Directory of the checkout, as vitest sees it.
 */
export async function counted(
  filters: readonly string[],
  start: (argv: readonly string[], directory: string) => Promise<number | undefined>,
  checkout: string = process.cwd(),
): Promise<Counts> {
  const directory = await mkdtemp(join(tmpdir(), "nspawn-runner-"));
  const report = join(directory, "report.json");
  try {
    // Without a bundle of the configuration, which vite would write into node_modules: the checkout can be another user's.
    const argv = [
      "run",
      "--configLoader=runner",
      "--reporter=verbose",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...filters,
    ];
    const exitCode = await start(argv, directory);
    const counts = JSON.parse(await readFile(report, "utf8").catch(() => "null")) as JsonTestResults | null;
    // A configuration or a set-up that fails leaves no report.
    if (counts === null)
      return { ...none, failed: 1, failures: [`vitest: exit code ${exitCode} and no report, see its output`] };
    // A file that fails to load, and an error outside of any test, have no failed test.
    const failed = Math.max(counts.numFailedTests, counts.numFailedTestSuites > 0 || exitCode !== 0 ? 1 : 0);
    return {
      passed: counts.numPassedTests,
      failed,
      skipped: counts.numPendingTests + counts.numTodoTests,
      failures: failures(counts, checkout),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function failures({ testResults }: JsonTestResults, checkout: string): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(checkout, name);
    const tests = assertionResults
      .filter((test) => test.status === "failed")
      .map(({ fullName, failureMessages }) => {
        const message = failureMessages?.join("\n") ?? "";
        return failureLine(`${file}${lineIn(name, message)} > ${fullName}`, message);
      });
    return tests.length === 0 && status === "failed" ? [failureLine(file, message)] : tests;
  });
}

const failureLine = (test: string, message: string): string =>
  `${test}: ${stripVTControlCharacters(withoutStack(message)).replace(/\s+/g, " ").trim().slice(0, messageLength)}`;

/** `:` and a line number: the first line of the test's file in a failure's stack. Empty when the stack has no such line. */
const lineIn = (file: string, message: string): string => {
  const line = /^\d+/.exec(message.split(`${file}:`)[1] ?? "");
  return line ? `:${line[0]}` : "";
};

const withoutStack = (message: string): string => message.split(/\n\s+at /)[0] ?? "";

export const sum = (runs: readonly Counts[]): Counts =>
  runs.reduce(
    (a, b) => ({
      passed: a.passed + b.passed,
      failed: a.failed + b.failed,
      skipped: a.skipped + b.skipped,
      failures: [...a.failures, ...b.failures],
    }),
    none,
  );

/** `N passed, N failed`, the line that programs read. */
export const countsText = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

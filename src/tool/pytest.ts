// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// pytest: runs Python tests on the terminal, and counts.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Print } from "./print.ts";
import { run } from "./run.ts";
import { type Counts, none } from "./vitest.ts";

/** Debian's Python: pytest and Ansible are packages for this interpreter. */
const python = "/usr/bin/python3";

/**
 * @param options.under Program and arguments that pytest runs under.
 * @returns One skipped test when there is no pytest: unit tests install no packages.
 */
export async function pytest(
  files: readonly string[],
  print: Print,
  { env = {}, under = [] }: { env?: Readonly<Record<string, string>>; under?: readonly string[] } = {},
): Promise<Counts> {
  const found = await run(python, ["-c", "import pytest"], { from: "Debian's package python3", answers: [0, 1] });
  if (found.exitCode !== 0) {
    print(
      `\nThe Python unit tests are skipped: ${python} has no pytest. It comes with Debian's package python3-pytest.`,
    );
    return { ...none, skipped: 1 };
  }
  const directory = await mkdtemp(join(tmpdir(), "nspawn-runner-"));
  const report = join(directory, "counts.json");
  try {
    const [program, ...args] = [...under, python, "-m", "pytest", "-rs", `--counts=${report}`, ...files];
    const options = { stdin: "ignore", stdout: "inherit", stderr: "inherit", reject: false } as const;
    // No bytecode is left in the checkout, and no directory of Ansible's in the user's home.
    const all = { PYTHONDONTWRITEBYTECODE: "1", ANSIBLE_HOME: directory, ...env };
    const { exitCode } = await execa(program as string, args, { env: all, ...options });
    const counts = JSON.parse(await readFile(report, "utf8").catch(() => "null")) as Counts | null;
    // A conftest.py that fails to load writes no report.
    if (counts === null) return { ...none, failed: 1, failures: [`pytest: exit code ${exitCode}, see its output`] };
    return exitCode === 0 ? counts : { ...counts, failed: Math.max(counts.failed, 1) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

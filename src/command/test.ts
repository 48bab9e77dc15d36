// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm test`: installs what the tests need, runs them, and counts. `npm run test:matrix`: what checkers and other versions of Ansible say.

import { installPackages, testPackages } from "../tool/apt.ts";
import { countsText, vitest } from "../tool/vitest.ts";
import { matrix as runMatrix } from "./matrix.ts";

/**
 * Runs the tests, ends with a line `N passed, N failed`.
 *
 * @param filters Parts of test files' paths; in the matrix, those without a slash are parts of gates' names. None means all.
 * @returns 0 when none failed and, with `CI=true`, none was skipped; else 1, also when there was none.
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
  const total = matrix ? await runMatrix(filters, print) : await vitest(filters, {});
  print("");
  for (const failure of total.failures) print(`failed: ${failure}`);
  print(countsText(total));
  const strict = process.env["CI"] === "true";
  return total.failed > 0 || total.passed + total.skipped === 0 || (strict && total.skipped > 0) ? 1 : 0;
}

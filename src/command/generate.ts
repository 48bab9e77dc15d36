// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `npm run generate`: writes generated/ from the model; with --check, shows the difference and writes nothing.

import { generatedDifferences } from "../artifact/drift.ts";
import { apply } from "../output/apply.ts";
import { unifiedDiff } from "../output/compare.ts";
import type { Print } from "../tool/print.ts";

/** @returns 0 when generated/ is up to date or has been brought up to date; 1 when --check found a difference. */
export async function generate(print: Print, { check = false, root = "." } = {}): Promise<number> {
  const differences = await generatedDifferences(root);
  if (check) {
    if (differences.length > 0) print(unifiedDiff(differences).trimEnd());
    return differences.length > 0 ? 1 : 0;
  }
  await apply(root, differences);
  for (const { path, want } of differences) print(`${want ? "wrote" : "removed"} ${path}`);
  return 0;
}

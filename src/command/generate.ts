// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `npm run generate`: the model to generated/; with --check only the difference.

import { apply } from "../output/apply.ts";
import { compare, type Difference, unifiedDiff } from "../output/compare.ts";
import { type Plan, planFiles } from "../output/plan.ts";
import { readModel } from "../read/model.ts";
import { writeSpec } from "../write/write.ts";

/** The directory that is generated as a whole. */
const OWNED = "generated";

/** @returns 0 when generated/ is as the model says, or has been made so; 1 when --check found a difference. */
export async function generate(print: (line: string) => void, { check = false, root = "." } = {}): Promise<number> {
  const differences = await generatedDifferences(root);
  if (check) {
    if (differences.length > 0) print(unifiedDiff(differences).trimEnd());
    return differences.length > 0 ? 1 : 0;
  }
  await apply(root, differences);
  for (const { path, want } of differences) print(`${want ? "wrote" : "removed"} ${path}`);
  return 0;
}

/** How generated/ differs from what the model says. */
export const generatedDifferences = async (root: string): Promise<readonly Difference[]> =>
  compare(root, generatedPlan(root), OWNED);

const generatedPlan = (root: string): Plan =>
  planFiles(writeSpec(readModel(root)).map(([path, content]) => [path, { content, mode: 0o644 }] as const));

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Drift: how generated/ differs from the output of the current model.

import { compare, type Difference } from "../output/compare.ts";
import { type Plan, planFiles } from "../output/plan.ts";
import { readModel } from "../read/model.ts";
import { writeSpec } from "../write/write.ts";

/** The directory that holds generated files only. */
const GENERATED = "generated";

/** Generates in memory and compares with the disk; an empty list means no drift. */
export const generatedDifferences = async (root: string): Promise<readonly Difference[]> =>
  compare(root, generatedPlan(root), GENERATED);

const generatedPlan = (root: string): Plan =>
  planFiles(writeSpec(readModel(root)).map(([path, content]) => [path, { content, mode: 0o644 }] as const));

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm run bench`: tables of ratios. The two sides of a ratio are measured in turns in one run.

import { mkdtemp, rm } from "node:fs/promises";
import { installArtifact } from "../artifact/install.ts";
import { benchConnection } from "../bench/connection.ts";
import { benchCreate } from "../bench/create.ts";
import { benchInventory } from "../bench/inventory.ts";
import { benchJobs } from "../bench/jobs.ts";
import { benchMaintenance } from "../bench/maintenance.ts";
import { printTable, type Table } from "../bench/table.ts";
import { hostPackages, installPackages } from "../tool/apt.ts";
import type { Print } from "../tool/print.ts";

type Bench = (collections: string, print: Print) => Promise<Table | readonly Table[]>;

const tables: Readonly<Record<string, Bench>> = {
  inventory: benchInventory,
  create: benchCreate,
  maintenance: benchMaintenance,
  connection: benchConnection,
  jobs: benchJobs,
};

/**
 * Measures the named tables, or all, and prints each complete table.
 *
 * @returns 0, whatever the figures are; 2 for an unknown name.
 */
export async function bench(print: Print, _options: object, names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !(name in tables));
  if (unknown.length > 0) {
    print(`Unknown table ${unknown.join(", ")}. Tables: ${Object.keys(tables).join(", ")}.`);
    return 2;
  }
  await installPackages([...hostPackages, "ansible", "btrfs-progs", "debootstrap", "eatmydata", "xfsprogs"], print);
  const collections = await mkdtemp("/var/tmp/nspawn-runner-bench-collections-");
  try {
    const built = await installArtifact(collections, print);
    if (built !== 0) return built;
    for (const [name, measure] of Object.entries(tables)) {
      if (names.length > 0 && !names.includes(name)) continue;
      for (const table of [await measure(collections, print)].flat()) printTable(name, table, print);
    }
    return 0;
  } finally {
    await rm(collections, { recursive: true, force: true });
  }
}

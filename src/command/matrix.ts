// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Gates and versions: what the ecosystem's checkers say of the collection, and real runs under each ansible-core but the oldest, which
// `npm test` has.

import { virtualEnvironment } from "../tool/python.ts";
import { ToolError } from "../tool/run.ts";
import { type Counts, countsText, none, sum, vitest } from "../tool/vitest.ts";
import { ansibleVersions, newestAnsible, oldestAnsible } from "./ansible-versions.ts";
import { sanityGate } from "./gates.ts";
import { runGates } from "./run-gates.ts";

/** All tests that start Ansible. */
const everyTest = ["test/ansible/"];

/** Of those what touches each interface of Ansible once, for the versions between the oldest and the newest. */
const someTests = [
  "test/ansible/artifact",
  "test/ansible/chroot_module",
  "test/ansible/connection.test",
  "test/ansible/in-place",
  "test/ansible/inventory-playbooks",
  "test/ansible/inventory.test",
  "test/ansible/maintain-create",
  "test/ansible/rollback",
  "test/ansible/staged",
  "test/ansible/vars",
];

/** @param filters Those with a slash are parts of test files' paths, the others parts of gates' names. */
export async function matrix(filters: readonly string[], print: (line: string) => void): Promise<Counts> {
  const paths = filters.filter((filter) => filter.includes("/"));
  const names = filters.filter((filter) => !filter.includes("/"));
  const gates = filters.length === 0 || names.length > 0 ? await runGates(names, print) : new Map<string, boolean>();
  // Without PyPI there are no other versions either.
  if (gates === null) return { ...none, skipped: 1 };
  const runs = new Map<string, Counts>();
  if (filters.length === 0 || paths.length > 0) {
    for (const version of ansibleVersions) {
      if (version === oldestAnsible) continue;
      const tests = version === newestAnsible ? everyTest : someTests;
      runs.set(version, await underVersion(version, paths.length > 0 ? paths : tests, print));
    }
  }
  printVersions(gates, runs, print);
  const failedGates = [...gates].filter(([, passed]) => !passed).map(([name]) => name);
  const gateCounts: Counts = {
    ...none,
    passed: gates.size - failedGates.length,
    failed: failedGates.length,
    failures: failedGates.map((name) => `gate ${name}: see its output`),
  };
  return sum([gateCounts, ...[...runs].map(([version, counts]) => named(version, counts))]);
}

const named = (version: string, counts: Counts): Counts => ({
  ...counts,
  failures: counts.failures.map((failure) => `ansible-core ${version}: ${failure}`),
});

async function underVersion(version: string, tests: readonly string[], print: (line: string) => void): Promise<Counts> {
  print(`\nansible-core ${version}`);
  try {
    const bin = await virtualEnvironment([`ansible-core==${version}`], print);
    return await vitest(tests, { env: { NSPAWN_RUNNER_ANSIBLE: bin } });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    print(error.message);
    return { ...none, failed: 1, failures: [error.message] };
  }
}

function printVersions(
  gates: ReadonlyMap<string, boolean>,
  runs: ReadonlyMap<string, Counts>,
  print: (line: string) => void,
): void {
  print(`\n${"ansible-core".padEnd(14)}${"sanity".padEnd(10)}real runs`);
  for (const version of ansibleVersions) {
    const passed = gates.get(sanityGate(version));
    const sanity = passed === undefined ? "not run" : passed ? "fine" : "failed";
    const counts = runs.get(version);
    const real = counts ? countsText(counts) : version === oldestAnsible ? "by npm test" : "not run";
    print(`${version.padEnd(14)}${sanity.padEnd(10)}${real}`);
  }
}

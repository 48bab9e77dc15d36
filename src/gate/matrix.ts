// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The matrix: all gates, real runs under each version of ansible-core but the oldest, which `npm test` uses, and real runs on booted
// Debian hosts with their own versions of Ansible, Python and systemd.

import { type LabTests, type Versions, vitestOnLab } from "../lab/tests.ts";
import { ansibleVersions, hostOf, newestAnsible, oldestAnsible } from "../tool/ansible-versions.ts";
import type { Suite } from "../tool/mmdebstrap.ts";
import type { Print } from "../tool/print.ts";
import { pythonVersion, virtualEnvironment } from "../tool/python.ts";
import { ToolError } from "../tool/run.ts";
import { type Counts, countsText, none, sum, vitest } from "../tool/vitest.ts";
import { sanityGate } from "./gates.ts";
import { runGates } from "./run.ts";

/** For the newest version: tests in which the version of Ansible can make a difference. */
const newestTests = [
  "test/ansible/artifact",
  "test/ansible/connection.test",
  "test/ansible/connection-python",
  "test/ansible/inventory",
  "test/ansible/maintain.test",
  "test/ansible/maintain-facts",
  "test/ansible/vars",
];

/** For the versions between the oldest and the newest: tests that use each interface of Ansible once. */
const someTests = ["test/ansible/artifact", "test/ansible/connection.test"];

/** Attacks of hostile trees, tasks and neighbours on the host. */
const attacks = ["test/nspawn/attacks", "test/ansible/inventory-hostile-tree"];

/** Tests that run on booted hosts only. `npm test` and the runs under other versions leave these out. */
const onlyOnHosts = "test/lab/";

/** Tests on a booted host: those in which systemd takes part. */
const hostTests = ["test/ansible/connection.test", "test/nspawn/user-namespace", ...attacks, onlyOnHosts];

interface Host {
  readonly suite: Suite;
  readonly tests: readonly string[];
  /** Whether the tests see that systemd is PID 1. */
  readonly systemd: boolean;
}

/** `npm test` is the run on Debian 12 without systemd. */
const hosts: readonly Host[] = [
  { suite: "bookworm", tests: attacks, systemd: true },
  { suite: "trixie", tests: hostTests, systemd: true },
  { suite: "trixie", tests: attacks, systemd: false },
  { suite: "sid", tests: hostTests, systemd: true },
  { suite: "sid", tests: attacks, systemd: false },
];

/** Tests under one version of Ansible or on one host; no versions when they did not start. */
type TestRun = Pick<LabTests, "counts"> & Partial<LabTests>;

/**
 * @param filters Those with a slash are parts of test files' paths, the others parts of gates' names. One that begins a version, such as 2.20,
 *   also chooses that version's tests.
 */
export async function matrix(filters: readonly string[], print: Print): Promise<Counts> {
  const paths = filters.filter((filter) => filter.includes("/"));
  const names = filters.filter((filter) => !filter.includes("/"));
  const chosen = ansibleVersions.filter((version) => names.some((name) => version.startsWith(name)));
  const gates = filters.length === 0 || names.length > 0 ? await runGates(names, print) : new Map<string, boolean>();
  // Other versions come from PyPI too.
  if (gates === null) return { ...none, skipped: 1 };
  const elsewhere = paths.filter((path) => !path.startsWith(onlyOnHosts));
  const versions = chosen.length > 0 ? chosen : names.length === 0 || paths.length > 0 ? ansibleVersions : [];
  const runs = new Map<string, TestRun>();
  for (const version of versions) {
    if (version === oldestAnsible || (paths.length > 0 && elsewhere.length === 0)) continue;
    const tests = version === newestAnsible ? newestTests : someTests;
    runs.set(version, await underVersion(version, paths.length > 0 ? elsewhere : tests, print));
  }
  const hostRuns = new Map<Host, TestRun>();
  if (chosen.length === 0 && (names.length === 0 || paths.length > 0)) {
    for (const host of hosts) {
      if (paths.length === 0) hostRuns.set(host, await onHost(host, host.tests, print));
      else if (host.systemd) hostRuns.set(host, await onHost(host, paths, print));
    }
  }
  await printVersions(gates, runs, hostRuns, print);
  const failedGates = [...gates].filter(([, passed]) => !passed).map(([name]) => name);
  const gateCounts: Counts = {
    ...none,
    passed: gates.size - failedGates.length,
    failed: failedGates.length,
    failures: failedGates.map((name) => `gate ${name}: see its output`),
  };
  return sum([
    gateCounts,
    ...[...runs].map(([version, { counts }]) => named(`ansible-core ${version}`, counts)),
    ...[...hostRuns].map(([host, { counts }]) => named(hostName(host), counts)),
  ]);
}

const named = (where: string, counts: Counts): Counts => ({
  ...counts,
  failures: counts.failures.map((failure) => `${where}: ${failure}`),
});

function underVersion(version: string, tests: readonly string[], print: Print): Promise<TestRun> {
  print(`\nansible-core ${version}`);
  const host = hostOf(version);
  return failing(async () => {
    if (host !== undefined) return vitestOnLab(host, tests, { ansible: version, print });
    const bin = await virtualEnvironment([`ansible-core==${version}`], print);
    return { counts: await vitest(tests, { env: { NSPAWN_RUNNER_ANSIBLE: bin } }) };
  }, print);
}

function onHost(host: Host, tests: readonly string[], print: Print): Promise<TestRun> {
  print(`\n${hostName(host)}`);
  return failing(() => vitestOnLab(host.suite, tests, { systemd: host.systemd }), print);
}

const hostName = ({ suite, systemd }: Host): string => `host ${suite}${systemd ? "" : " without systemd"}`;

/** Counts a run that cannot begin as one failure. */
async function failing(run: () => Promise<TestRun>, print: Print): Promise<TestRun> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    print(error.message);
    return { counts: { ...none, failed: 1, failures: [error.message] } };
  }
}

async function printVersions(
  gates: ReadonlyMap<string, boolean>,
  runs: ReadonlyMap<string, TestRun>,
  hostRuns: ReadonlyMap<Host, TestRun>,
  print: Print,
): Promise<void> {
  const row = (...cells: readonly [string, string, string, string]) =>
    print(`${cells[0].padEnd(14)}${cells[1].padEnd(10)}${cells[2].padEnd(50)}${cells[3]}`);
  const hostText = (suite: Suite, versions: Versions | undefined) =>
    versions ? `${versions.python} of Debian ${suite}, systemd ${versions.systemd}` : `of Debian ${suite}`;
  const thisMachine = `${await pythonVersion()} of this machine`;
  print("");
  row("ansible-core", "sanity", "Python", "real runs");
  for (const version of ansibleVersions) {
    const passed = gates.get(sanityGate(version));
    const sanity = passed === undefined ? "not run" : passed ? "fine" : "failed";
    const { counts, versions } = runs.get(version) ?? {};
    const host = hostOf(version);
    const python = host === undefined ? thisMachine : hostText(host, versions);
    row(version, sanity, python, counts ? countsText(counts) : version === oldestAnsible ? "by npm test" : "not run");
  }
  for (const host of hosts) {
    const { counts, versions } = hostRuns.get(host) ?? {};
    const text = `${hostText(host.suite, versions)}${host.systemd ? "" : ", not PID 1"}`;
    row(versions?.ansible ?? "its own", "-", text, counts ? countsText(counts) : "not run");
  }
}

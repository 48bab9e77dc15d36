// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bench table "create": two new Debian images in one run of `nspawn.runner.create`, against two runs of `debootstrap` in turn.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { basePackages } from "../model/bootstrap-tools.ts";
import type { Print } from "../tool/print.ts";
import { run } from "../tool/run.ts";
import type { Table } from "./table.ts";

const suites = ["bookworm", "trixie"] as const;

/** Measures each way once. `collections` is a directory with the installed artifact. */
export async function benchCreate(collections: string, print: Print): Promise<Table> {
  const directory = mkdtempSync("/var/tmp/nspawn-runner-bench-");
  try {
    print("create: two images by nspawn.runner.create");
    const together = await seconds(() => create(directory, collections));
    let apart = 0;
    for (const suite of suites) {
      print(`create: ${suite} by debootstrap`);
      apart += await seconds(() => debootstrap(join(directory, `debootstrap-${suite}`), suite));
    }
    return {
      head: ["images", "create s", "debootstrap s", "times faster"],
      rows: [[suites.join(", "), ...[together, apart, apart / together].map((figure) => figure.toFixed(1))]],
      note: "From nothing, with the same packages: one run each; promised is at least 2 times faster.",
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function create(directory: string, collections: string): Promise<void> {
  const root = join(directory, "images");
  mkdirSync(root, { mode: 0o700 });
  writeFileSync(join(directory, "ansible.cfg"), "");
  writeFileSync(
    join(directory, "nspawn_runner.yml"),
    "plugin: nspawn.runner.chroots\nroot: images\nplaybook_dirs: [.]\n",
  );
  for (const suite of suites) writeFileSync(join(directory, `${suite}.yml`), playbook(suite));
  await run("ansible-playbook", ["-i", "nspawn_runner.yml", "nspawn.runner.create"], {
    cwd: directory,
    env: { ANSIBLE_COLLECTIONS_PATH: collections },
    from: "Debian's package ansible-core",
  });
  for (const suite of suites)
    if (!existsSync(join(root, suite))) throw new Error(`nspawn.runner.create made no ${suite}: nothing to compare.`);
}

async function debootstrap(target: string, suite: string): Promise<void> {
  const args = ["--variant=minbase", `--include=${basePackages.join(",")}`, suite, target];
  await run("debootstrap", args, { from: "Debian's package debootstrap" });
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** A playbook with almost nothing to do: the table measures creation. */
const playbook = (suite: string): string => `---
- name: Maintain ${suite}
  hosts: ${suite}
  gather_facts: false
  vars:
    nspawn_runner_chroot_suite: ${suite}
  tasks:
    - name: Enter the image
      ansible.builtin.raw: /bin/true
`;

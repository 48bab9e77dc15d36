// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bench table "inventory": `ansible-inventory --list` of the plugin, against a static YAML inventory with the same hosts, groups and variables.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { execa } from "execa";
import { stringify } from "yaml";
import type { Print } from "../tool/print.ts";
import { ToolError } from "../tool/run.ts";
import { median, type Table } from "./table.ts";

interface InventoryRow {
  readonly images: number;
  /** Whether the images have trees, with an os-release each. All have a playbook. */
  readonly trees: boolean;
  /** Seconds, the median of the rounds. */
  readonly plugin: number;
  readonly static: number;
  /** Plugin over static: the median of the ratios of each round. */
  readonly ratio: number;
}

interface Size {
  readonly images: number;
  readonly trees: boolean;
  readonly rounds: number;
}

const sizes: readonly Size[] = [
  { images: 1000, trees: false, rounds: 5 },
  { images: 1000, trees: true, rounds: 5 },
  { images: 10_000, trees: false, rounds: 3 },
  { images: 10_000, trees: true, rounds: 3 },
];

/** Measures each size. `collections` is a directory with the installed artifact. */
export async function benchInventory(collections: string, print: Print): Promise<Table> {
  const rows: InventoryRow[] = [];
  for (const size of sizes) {
    const directory = mkdtempSync("/var/tmp/nspawn-runner-bench-");
    try {
      rows.push(await row(directory, collections, size, print));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return {
    head: ["images", "plugin s", "static s", "ratio"],
    rows: rows.map(({ images, trees, plugin, static: fixed, ratio }) => [
      `${images}${trees ? ", with trees" : ", missing"}`,
      ...[plugin, fixed, ratio].map((figure) => figure.toFixed(2)),
    ]),
    note: "ansible-inventory --list: medians; promised is a ratio of at most 1.5.",
  };
}

async function row(directory: string, collections: string, size: Size, print: Print): Promise<InventoryRow> {
  writeImages(directory, size);
  const plugin = () => list(directory, collections, "nspawn_runner.yml");
  const fixed = () => list(directory, collections, "static/hosts.yml");

  // The static inventory is made from the plugin's answer. These two runs also fill the caches.
  const answer = await plugin();
  // Not beside the playbooks: the plugin would read this file too.
  mkdirSync(join(directory, "static"));
  writeFileSync(join(directory, "static/hosts.yml"), staticInventory(answer.inventory));
  if (!isDeepStrictEqual(hostVariables((await fixed()).inventory), hostVariables(answer.inventory)))
    throw new Error("The static inventory and the plugin give different variables, so a comparison makes no sense.");

  const rounds: { plugin: number; static: number }[] = [];
  for (let round = 1; round <= size.rounds; round++) {
    // Each side is first in turns, so that other load on the machine affects both.
    rounds.push(
      round % 2 === 1
        ? { plugin: (await plugin()).seconds, static: (await fixed()).seconds }
        : { static: (await fixed()).seconds, plugin: (await plugin()).seconds },
    );
    print(`inventory: ${size.images} images${size.trees ? " with trees" : ""}, round ${round} of ${size.rounds}`);
  }
  return {
    images: size.images,
    trees: size.trees,
    plugin: median(rounds.map((times) => times.plugin)),
    static: median(rounds.map((times) => times.static)),
    ratio: median(rounds.map((times) => times.plugin / times.static)),
  };
}

function writeImages(directory: string, { images, trees }: Size): void {
  const root = join(directory, "images");
  mkdirSync(root);
  writeFileSync(join(directory, "ansible.cfg"), "");
  writeFileSync(
    join(directory, "nspawn_runner.yml"),
    "plugin: nspawn.runner.chroots\nroot: images\nplaybook_dirs: [.]\n",
  );
  for (let number = 0; number < images; number++) {
    const name = `image-${number}`;
    writeFileSync(join(directory, `${name}.yml`), playbook(name));
    if (!trees) continue;
    mkdirSync(join(root, name, "etc"), { recursive: true });
    mkdirSync(join(root, name, "usr/lib"), { recursive: true });
    mkdirSync(join(root, name, "usr/bin"));
    writeFileSync(join(root, name, "usr/lib/os-release"), osRelease);
    writeFileSync(join(root, name, "usr/bin/python3"), "");
  }
}

const playbook = (name: string): string => `---
- name: Maintain ${name}
  hosts: ${name}
  vars:
    nspawn_runner_chroot_suite: trixie
    nspawn_runner_maint_recreate: false
    nspawn_runner_packages: [git, build-essential]
  tasks:
    - name: Upgrade everything
      ansible.builtin.apt:
        upgrade: full
        update_cache: true
    - name: Install tools
      ansible.builtin.apt:
        name: [ccache, devscripts]
`;

const osRelease = `PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
ID=debian
HOME_URL="https://www.debian.org/"
`;

type Inventory = Readonly<
  Record<string, { readonly hosts?: readonly string[]; readonly children?: readonly string[] }>
> & {
  readonly _meta: { readonly hostvars: Readonly<Record<string, unknown>> };
};

const hostVariables = (inventory: Inventory): unknown => inventory._meta.hostvars;

/** A host has its variables in the first group that names it, as in an inventory written by hand. */
function staticInventory(inventory: Inventory): string {
  const unnamed = new Map(Object.entries(inventory._meta.hostvars));
  const children: Record<string, { hosts: Record<string, unknown> }> = {};
  for (const group of inventory.nspawn_runner?.children ?? []) {
    const hosts: Record<string, unknown> = {};
    for (const host of inventory[group]?.hosts ?? []) {
      hosts[host] = unnamed.get(host) ?? null;
      unnamed.delete(host);
    }
    children[group] = { hosts };
  }
  return stringify({ nspawn_runner: { children } });
}

async function list(
  directory: string,
  collections: string,
  file: string,
): Promise<{ seconds: number; inventory: Inventory }> {
  const started = performance.now();
  const { exitCode, stdout, stderr, escapedCommand } = await execa("ansible-inventory", ["-i", file, "--list"], {
    cwd: directory,
    // Without the configuration of this machine.
    env: {
      ANSIBLE_COLLECTIONS_PATH: collections,
      ANSIBLE_CONFIG: join(directory, "ansible.cfg"),
      LC_ALL: "C.UTF-8",
    },
    maxBuffer: 2 ** 30,
    reject: false,
  });
  const seconds = (performance.now() - started) / 1000;
  if (exitCode !== 0 || stderr !== "") throw new ToolError(escapedCommand, exitCode ?? null, stderr);
  return { seconds, inventory: JSON.parse(stdout) };
}

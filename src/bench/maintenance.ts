// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bench table "maintenance": the costs of a copy and a publish, and the gain of maintaining several images at a time.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layout } from "../model/collection.ts";
import type { ImageState, LastRun } from "../model/image-state.ts";
import { debianSource } from "../tool/debian-tree.ts";
import { onLoopFile } from "../tool/loop-file.ts";
import type { Print } from "../tool/print.ts";
import { run } from "../tool/run.ts";
import { median, type Table } from "./table.ts";

const ROUNDS = 5;

/** Measures each row. `collections` is a directory with the installed artifact. */
export async function benchMaintenance(collections: string, print: Print): Promise<Table> {
  const source = await debianSource("trixie");
  print("maintenance: copies and swaps on btrfs");
  const snapshots = await onLoopFile("btrfs", 4096, (mount) => swaps(mount, source, collections));
  print("maintenance: copies and swaps on xfs");
  const reflinks = await onLoopFile("xfs", 4096, (mount) => swaps(mount, source, collections));
  print("maintenance: copies and swaps on ext4, in turns with cp");
  const copies = await onLoopFile("ext4", 4096, (mount) => swaps(mount, source, collections));
  const starts = await onLoopFile("btrfs", 4096, (mount) => nothingToDo(mount, source, collections, print));
  const four = await onLoopFile("btrfs", 12288, (mount) => fourImages(mount, source, collections, print));
  const swap = Math.max(...[...snapshots, ...reflinks, ...copies].map((round) => round.swap));
  return {
    head: ["of a Debian tree", "figure", "promised"],
    rows: [
      ["copy, compare and publish on btrfs: s", seconds(median(snapshots.map(({ published }) => published))), "<= 0.6"],
      ["the same on xfs, by reflinks: s", seconds(median(reflinks.map(({ published }) => published))), ""],
      [
        "the same on ext4, by a plain copy: times cp -a and sync -f",
        ratio(median(copies.map(({ published, cp }) => published / cp))),
        "<= 1.4",
      ],
      ["the swap itself, the slowest of all: ms", (swap * 1000).toFixed(2), "< 10"],
      ["an image with nothing to do on btrfs: times a bare start of ansible-playbook", ratio(starts), "<= 2.5"],
      [
        `four images that install packages, ${seconds(median(four.map(({ together }) => together)))} s: times faster than one by one`,
        ratio(median(four.map(({ together, apart }) => apart / together))),
        ">= 1.8",
      ],
    ],
    note: `Medians of ${ROUNDS} rounds in turns.`,
  };
}

interface Round {
  /** Seconds of copy, compare and publish. */
  readonly published: number;
  /** Seconds of `cp -a` and `sync -f` of the same tree. */
  readonly cp: number;
  /** Seconds of the one system call that swaps the trees. */
  readonly swap: number;
}

/** Maintenance of one image without Ansible: calls the collection's functions in the order of the action. */
async function swaps(mount: string, source: string, collections: string): Promise<readonly Round[]> {
  const root = join(mount, "images");
  await newImages(root, ["sid"], source);
  const { output } = await run("/usr/bin/python3", ["-c", SWAPS, root, "sid", String(ROUNDS)], {
    env: { PYTHONPATH: collections },
    from: "Debian's package ansible-core",
  });
  return JSON.parse(output);
}

const SWAPS = `
import json, os, shutil, subprocess, sys, time
from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._image import generations, publish, stage
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, make_state
from ansible_collections.nspawn.runner.plugins.module_utils._tree import compare

root, image, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
place = Place(root, image)
make_state(root, image)
rename, swapped = files.rename, []


def timed_rename(source, target, flags):
    start = time.perf_counter()
    rename(source, target, flags)
    if flags == files.EXCHANGE:
        swapped.append(time.perf_counter() - start)


def maintain(number):
    start = time.perf_counter()
    _, since = stage.stage_tree(place, lambda line: None)
    spent = time.perf_counter() - start
    with open(os.path.join(place.staged, "etc/motd"), "w") as file:
        file.write(f"{number}\\n")
    start = time.perf_counter()
    assert compare.difference(place.staged, place.path, since) == "etc/motd"
    publish.publish(place, {})
    spent += time.perf_counter() - start
    generations.prune(place, 0, 0, lambda line: sys.exit(line))
    return spent


def cp():
    copy = os.path.join(root, ".copy")
    start = time.perf_counter()
    subprocess.run(["cp", "-a", place.path, copy], check=True)
    subprocess.run(["sync", "-f", root], check=True)
    spent = time.perf_counter() - start
    shutil.rmtree(copy)
    return spent


def settled(work, *arguments):
    # Unwritten data of the previous round must not count in this one.
    os.sync()
    return work(*arguments)


files.rename = timed_rename
result = []
# The first round fills the caches and does not count.
for number in range(rounds + 1):
    if number % 2:
        published, copied = settled(maintain, number), settled(cp)
    else:
        copied, published = settled(cp), settled(maintain, number)
    result.append({"published": published, "cp": copied, "swap": swapped[-1]})
print(json.dumps(result[1:]))
`;

/** The time of one more image whose playbook has no task, in starts of ansible-playbook. */
async function nothingToDo(mount: string, source: string, collections: string, print: Print): Promise<number> {
  const names = ["one", "two", "three", "four", "five"];
  await newImages(join(mount, "images"), names, source);
  const directory = configuration(mount, names, []);
  try {
    const play = (...args: readonly string[]) => playbook(directory, collections, args);
    const maintain = (limit: string) => play("nspawn.runner.maintenance", "--forks=1", `--limit=${limit}`);
    writeFileSync(join(directory, "bare.yml"), "- hosts: localhost\n  gather_facts: false\n  tasks: []\n");
    // The first maintenance of a tree may change it, and fills the caches.
    await maintain(names.join());
    const rounds: { bare: number; one: number; all: number }[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      rounds.push({ bare: await play("bare.yml"), one: await maintain("one"), all: await maintain(names.join()) });
      print(`maintenance: nothing to do, round ${round} of ${ROUNDS}`);
    }
    expectResult(join(mount, "images"), names, "unchanged");
    const of = (which: keyof (typeof rounds)[0]) => median(rounds.map((round) => round[which]));
    // Both times contain the outer run, so the difference does not.
    return (of("all") - of("one")) / (names.length - 1) / of("bare");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Seconds of four images in one run, and of the same images in four runs in turn. */
async function fourImages(
  mount: string,
  source: string,
  collections: string,
  print: Print,
): Promise<readonly { readonly together: number; readonly apart: number }[]> {
  const names = ["one", "two", "three", "four"];
  const tasks = [
    { "ansible.builtin.apt": { update_cache: true } },
    { "ansible.builtin.apt": { name: ["file", "less", "rsync", "tree", "vim-tiny"], install_recommends: false } },
  ];
  const maintain = async (base: string, limits: readonly string[]) => {
    await newImages(join(base, "images"), names, source);
    // Unwritten data must not count, nor memory that the kernel has not used before, which is slow in a virtual machine: both sides begin
    // in the same state.
    await run("sync", ["--file-system", base], { from: "every Debian system" });
    writeFileSync("/proc/sys/vm/drop_caches", "3");
    const directory = configuration(base, names, tasks);
    try {
      let spent = 0;
      for (const limit of limits)
        spent += await playbook(directory, collections, ["nspawn.runner.maintenance", `--limit=${limit}`]);
      expectResult(join(base, "images"), names, "published");
      return spent;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
  const rounds: { together: number; apart: number }[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const together = () => maintain(join(mount, `${round}-together`), [names.join()]);
    const apart = () => maintain(join(mount, `${round}-apart`), names);
    const spent =
      round % 2
        ? { together: await together(), apart: await apart() }
        : { apart: await apart(), together: await together() };
    rounds.push(spent);
    print(`maintenance: four images that install packages, round ${round} of ${ROUNDS}`);
  }
  return rounds;
}

/** Makes a tree for each image: a copy of the source for the first, snapshots of that copy for the others. */
async function newImages(root: string, [first, ...others]: readonly string[], source: string): Promise<void> {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const tree = join(root, first as string);
  // On btrfs a subvolume, as a creation makes it.
  await run("sh", ["-c", 'btrfs subvolume create "$1" 2>&1 || mkdir "$1"', "sh", tree], { from: "every system" });
  await run("cp", ["--archive", "--no-target-directory", source, tree], { from: "every system" });
  for (const name of others)
    await run("btrfs", ["subvolume", "snapshot", tree, join(root, name)], { from: "Debian's package btrfs-progs" });
}

/** Makes a directory with an inventory file for `base`/images and a playbook per image. */
function configuration(base: string, names: readonly string[], tasks: readonly object[]): string {
  const directory = mkdtempSync("/var/tmp/nspawn-runner-bench-");
  const inventory = { plugin: "nspawn.runner.chroots", root: join(base, "images"), playbook_dirs: ["."] };
  writeFileSync(join(directory, "ansible.cfg"), "");
  // JSON is YAML too.
  writeFileSync(join(directory, "nspawn_runner.yml"), JSON.stringify(inventory));
  for (const name of names)
    writeFileSync(join(directory, `${name}.yml`), JSON.stringify([{ hosts: name, gather_facts: false, tasks }]));
  return directory;
}

/** Throws when a run had another result, since its time would mean nothing. */
function expectResult(root: string, names: readonly string[], result: LastRun["result"]): void {
  for (const name of names) {
    const path = join(root, layout.state_directory, name, layout.state_file);
    const { last_run }: ImageState = JSON.parse(readFileSync(path, "utf8"));
    if (last_run?.result !== result) throw new Error(`${path}: the last run is not ${result}: ${last_run?.msg}`);
  }
}

/** Seconds of one run of ansible-playbook. */
async function playbook(directory: string, collections: string, args: readonly string[]): Promise<number> {
  const start = performance.now();
  await run("ansible-playbook", ["-i", "nspawn_runner.yml", ...args], {
    cwd: directory,
    env: {
      ANSIBLE_COLLECTIONS_PATH: collections,
      ANSIBLE_CONFIG: join(directory, "ansible.cfg"),
    },
    from: "Debian's package ansible-core",
  });
  return (performance.now() - start) / 1000;
}

const seconds = (value: number): string => value.toFixed(2);
const ratio = (value: number): string => value.toFixed(2);

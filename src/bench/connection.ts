// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bench table "connection": tasks in a tree by the connection plugin, by other ways into the tree, and without any container.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Print } from "../tool/print.ts";
import { type SessionCosts, sessionCosts } from "./connection-session.ts";
import {
  command,
  copy,
  fourImages,
  oneTask,
  raw,
  seconds,
  setup,
  tasks,
  type Way,
  type Ways,
  type Work,
  ways,
} from "./connection-ways.ts";
import { median, type Table } from "./table.ts";

/** Seconds by way, work and pipelining, one of each round. */
type Rounds = Map<string, number[]>;

const ROUNDS = 5;
const works = [command, copy, setup, fourImages];

/** Measures each row. `collections` is a directory with the installed artifact. */
export async function benchConnection(collections: string, print: Print): Promise<readonly Table[]> {
  const directory = mkdtempSync("/var/tmp/nspawn-runner-bench-");
  try {
    const all = await ways(directory, collections, print);
    const measure = (way: Way, work: Work, pipelining: boolean, env = {}) =>
      seconds(directory, collections, { ...way, env: { ...way.env, ...env } }, work, pipelining);
    // The first run of each way fills the caches and does not count.
    for (const way of all.all) await measure(way, oneTask, true);
    const rounds: Rounds = new Map();
    for (const work of works) {
      for (let round = 1; round <= ROUNDS; round++) {
        print(`connection: ${work.name}, round ${round} of ${ROUNDS}`);
        // Each round begins with another way.
        for (const pipelining of [false, true])
          for (const way of [...all.all.slice(round), ...all.all.slice(0, round)])
            add(rounds, way, work, pipelining, await measure(way, work, pipelining));
        if (work === command)
          for (const way of [all.local, all.plugin]) add(rounds, way, raw, true, await measure(way, raw, true));
      }
      // The whole table takes most of an hour, so results are shown meanwhile.
      print(`connection: ${work.name}, without pipelining and with it, as ratios to local`);
      for (const way of all.all) print(`  ${way.name}: ${cells(all, rounds, way, work).join(", ")}`);
    }
    const cold: number[] = [];
    const warm: number[] = [];
    const costs: SessionCosts[] = [];
    const stay = { ANSIBLE_NSPAWN_IDLE_TIME: "20" };
    for (let round = 1; round <= ROUNDS; round++) {
      print(`connection: sessions, round ${round} of ${ROUNDS}`);
      cold.push(await measure(all.plugin, oneTask, true, stay));
      warm.push(await measure(all.plugin, oneTask, true, stay));
      await measure(all.plugin, setup, true, stay);
      costs.push(await sessionCosts(join(directory, "images/one"), collections));
    }
    return [ratios(all, rounds), promises(all, rounds, median(cold) - median(warm), medians(costs))];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const medians = (costs: readonly SessionCosts[]): SessionCosts => ({
  resident: median(costs.map(({ resident }) => resident)),
  proportional: median(costs.map(({ proportional }) => proportional)),
  fork: median(costs.map(({ fork }) => fork)),
});

const key = (way: Way, work: Work, pipelining: boolean): string => `${way.name} ${work.name} ${pipelining}`;

function add(rounds: Rounds, way: Way, work: Work, pipelining: boolean, spent: number): void {
  const name = key(way, work, pipelining);
  rounds.set(name, [...(rounds.get(name) ?? []), spent]);
}

const of = (rounds: Rounds, way: Way, work: Work, pipelining: boolean): number =>
  median(rounds.get(key(way, work, pipelining)) ?? []);

/** The faster of `local` with and without pipelining. */
const ofLocal = ({ local }: Ways, rounds: Rounds, work: Work): number =>
  Math.min(of(rounds, local, work, false), of(rounds, local, work, true));

/** Ratios of a way to `local` with the same pipelining: without it, and with it. */
const cells = ({ local }: Ways, rounds: Rounds, way: Way, work: Work): readonly [string, string] => {
  const cell = (pipelining: boolean): string => {
    const spent = of(rounds, way, work, pipelining);
    const ratio = (spent / of(rounds, local, work, pipelining)).toFixed(2);
    return way === local ? `${ratio} (${spent.toFixed(1)} s)` : ratio;
  };
  return [cell(false), cell(true)];
};

function ratios(all: Ways, rounds: Rounds): Table {
  const rows = (pipelining: 0 | 1) =>
    all.all.map((way) => [
      `${way.name}, with${pipelining ? "" : "out"} pipelining`,
      ...works.map((work) => cells(all, rounds, way, work)[pipelining]),
    ]);
  return {
    head: ["way in", ...works.map(({ name }) => name)],
    rows: [...rows(0), ...rows(1)],
    note: `Whole runs of ansible-playbook, as ratios to local with the same pipelining: medians of ${ROUNDS} rounds in turns.`,
  };
}

function promises(all: Ways, rounds: Rounds, firstTask: number, costs: SessionCosts): Table {
  const plugin = (work: Work) => of(rounds, all.plugin, work, true);
  const ratio = (work: Work) => (plugin(work) / ofLocal(all, rounds, work)).toFixed(2);
  const ms = (spent: number) => ((spent / tasks) * 1000).toFixed(1);
  const floor = of(rounds, all.local, raw, true);
  const overFloor = plugin(command) - floor;
  const local = ofLocal(all, rounds, command) - floor;
  const forks = costs.fork * tasks;
  return {
    head: ["nspawn.runner.nspawn, with pipelining", "figure", "promised"],
    rows: [
      ["30 x command: of local", ratio(command), "<= 0.40"],
      [
        "30 x command: of chroot and the blog's script without pipelining",
        (plugin(command) / of(rounds, all.blog, command, false)).toFixed(2),
        "<= 0.12",
      ],
      ["30 x copy: of local", ratio(copy), "<= 0.50"],
      ["4 images x 30 command: of local on four hosts", ratio(fourImages), "<= 0.50"],
      [
        `a task over the floor, ${ms(overFloor)} ms: of the ${ms(local)} ms of local`,
        (overFloor / local).toFixed(2),
        "<= 0.22",
      ],
      ["  the floor, raw over local: ms", ms(floor), ""],
      ["  over the floor, the plugin and the exchange with the session: ms", ms(plugin(raw) - floor - forks), ""],
      ["  over the floor, two forks in the container: ms", ms(forks), ""],
      ["  over the floor, the module, which is built, sent and run: ms", ms(plugin(command) - plugin(raw)), ""],
      ["processes of a session, shared pages split up: MiB", costs.proportional.toFixed(0), ""],
      ["the same, resident: MiB", costs.resident.toFixed(0), "<= 60"],
      ["first task of a new session, more than the next one: s", firstTask.toFixed(2), "<= 0.5"],
    ],
    note: "Ratios to local are to the faster of its two rows.",
  };
}

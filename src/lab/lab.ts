// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lab: a Debian host with systemd as PID 1, machined and D-Bus, booted in a container from a cached tree. A stopped lab leaves
// nothing on this machine.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Suite } from "../tool/mmdebstrap.ts";
import { boot, findLeader, type Host } from "./boot.ts";
import { enter, type LabResult, type RunOptions } from "./enter.ts";
import { makeState, removeLeftovers, removeState } from "./state.ts";
import { labTree } from "./tree.ts";

export interface LabOptions {
  /** Debian suite of the host, trixie by default. */
  readonly suite?: Suite;
  /** Files and directories of this machine in the lab, writable: `PATH`, or `PATH:PATH IN THE LAB`. */
  readonly binds?: readonly string[];
}

export interface Lab {
  /** The names of units that failed at boot. */
  readonly failedUnits: readonly string[];
  /** Runs a program as root in a scope of its own, to its end. Never throws for its exit status. */
  run(argv: readonly string[], options?: RunOptions): Promise<LabResult>;
  /** Kills the host and removes all of its files. */
  stop(): Promise<void>;
}

const bootSeconds = 90;

/**
 * Boots a lab and waits until its boot is complete. The first call makes the tree, which takes some minutes.
 *
 * @throws {ToolError} when the tree cannot be made.
 * @throws {Error} when the boot does not end; the message holds the end of the console.
 */
export async function startLab({ suite = "trixie", binds = [] }: LabOptions = {}): Promise<Lab> {
  await removeLeftovers();
  const tree = await labTree(suite);
  const state = await makeState();
  const host = boot(tree, state, binds);
  const stop = async () => {
    host.kill("SIGKILL");
    await host;
    await removeState(state);
  };
  try {
    const leader = await findLeader(host);
    const failedUnits = await waitForBoot(host, leader);
    const scoped = ["systemd-run", ...(suite === "bookworm" ? [] : literal), ...scope];
    return { failedUnits, stop, run: (argv, options) => enter(leader, [...scoped, ...argv], options) };
  } catch (error) {
    const console = await readFile(join(state, "console.log"), "utf8").catch(() => "");
    await stop();
    throw new Error(`${(error as Error).message}\nThe end of its console:\n${console.trimEnd().slice(-2000)}`);
  }
}

/** Waits for the end of the boot, and returns the units that failed. */
async function waitForBoot(host: Host, leader: number): Promise<string[]> {
  const end = Date.now() + bootSeconds * 1000;
  let status = "";
  while (Date.now() < end && host.exitCode === null) {
    status = (await enter(leader, ["systemctl", "is-system-running"])).stdout;
    if (status === "running") return [];
    if (status === "degraded") {
      const { stdout } = await enter(leader, ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]);
      return stdout.split("\n").map((line) => line.split(" ")[0] as string);
    }
    await sleep(100);
  }
  throw new Error(`The lab's boot did not end within ${bootSeconds} seconds; systemd says: ${status || "nothing"}.`);
}

/** In a scope, nested containers have a control group that the lab's systemd knows. */
const scope = ["--scope", "--quiet", "--collect", "--"];

/** Bookworm's systemd-run never expands $ in arguments, and has no such option. */
const literal = ["--expand-environment=no"];

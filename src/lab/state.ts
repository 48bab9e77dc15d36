// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files of a lab on this machine: a directory and control groups, which are removed when the lab stops.

import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../tool/run.ts";

/** Mount points of the hierarchy that systemd manages: unified, hybrid or legacy. */
export const controlGroups = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

const from = "every Debian system";
const stateDirectories = "/var/tmp";
const statePrefix = "nspawn-runner-lab-";

/** Makes the directory of a lab of this process. */
export const makeState = (): Promise<string> => mkdtemp(join(stateDirectories, `${statePrefix}${process.pid}-`));

/** Removes the files of labs whose process was killed. */
export async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(stateDirectories)) {
    const pid = name.startsWith(statePrefix) ? name.slice(statePrefix.length).split("-")[0] : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) await removeState(join(stateDirectories, name));
  }
}

/** Waits until the lab's processes have ended, and removes the lab's directory and control groups. */
export async function removeState(state: string): Promise<void> {
  await waitForNspawn(state);
  await detachLoopDevices(state);
  await removeGroups(state);
  await run("chattr", ["-R", "-f", "-i", state], { from: "Debian's package e2fsprogs", answers: "any" });
  await rm(state, { recursive: true, force: true });
}

/** systemd-nspawn, the first process of their PID namespace, is the last of a killed lab's processes to end. */
async function waitForNspawn(state: string): Promise<void> {
  const nspawn = ["--full", `^systemd-nspawn .*--machine=${basename(state)} `];
  for (let attempt = 0; attempt < 200; attempt++) {
    const { exitCode } = await run("pgrep", nspawn, { from: "Debian's package procps", answers: "any" });
    if (exitCode !== 0) break;
    await sleep(50);
  }
}

async function removeGroups(state: string): Promise<void> {
  const groups = controlGroups
    .map((hierarchy) => join(hierarchy, basename(state)))
    .filter((group) => existsSync(group));
  const remove = ["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"];
  // A group is busy for a moment after its last process.
  for (let attempt = 0; attempt < 100 && groups.some((group) => existsSync(group)); attempt++) {
    const { exitCode } = await run("find", [...groups, ...remove], { from, answers: "any" });
    if (exitCode !== 0) await sleep(50);
  }
}

/** Detaches loop devices over files of the lab: they outlive the processes that have made them. */
async function detachLoopDevices(state: string): Promise<void> {
  const columns = "--output=NAME,BACK-INO,BACK-MAJ:MIN";
  const { output: devices } = await run("losetup", ["--list", "--noheadings", columns], { from, answers: "any" });
  const { output: disk } = await run("findmnt", ["--noheadings", "--output=MAJ:MIN", "--target", state], { from });
  for (const [device, inode, onDisk] of devices.split("\n").map((line) => line.trim().split(/\s+/))) {
    if (!device || !inode || onDisk !== disk.trim()) continue;
    const search = [state, "-xdev", "-type", "f", "-inum", inode, "-print", "-quit"];
    if ((await run("find", search, { from })).output !== "")
      await run("losetup", ["--detach", device], { from, answers: "any" });
  }
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a lab writes on this machine: a directory and control groups of its own, which are removed when it stops.

import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";

/** Where a hierarchy that systemd manages is mounted: unified, hybrid or legacy. */
export const controlGroups = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

const stateDirectories = "/var/tmp";
const statePrefix = "nspawn-runner-lab-";

/** Makes the directory of a lab of this process. */
export const makeState = (): Promise<string> => mkdtemp(join(stateDirectories, `${statePrefix}${process.pid}-`));

/** What labs have left whose process was killed. */
export async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(stateDirectories)) {
    const pid = name.startsWith(statePrefix) ? name.slice(statePrefix.length).split("-")[0] : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) await removeState(join(stateDirectories, name));
  }
}

export async function removeState(state: string): Promise<void> {
  // systemd-nspawn, the first process of their PID namespace, is the last of a killed lab's processes to end.
  const nspawn = ["--full", `^systemd-nspawn .*--machine=${basename(state)} `];
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await execa("pgrep", nspawn, { reject: false })).exitCode !== 0) break;
    await sleep(50);
  }
  await detachLoopDevices(state);
  // A group is busy for a moment after its last process.
  const groups = controlGroups
    .map((hierarchy) => join(hierarchy, basename(state)))
    .filter((group) => existsSync(group));
  const remove = ["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"];
  for (let attempt = 0; attempt < 100 && groups.some((group) => existsSync(group)); attempt++) {
    const { exitCode } = await execa("find", [...groups, ...remove], { reject: false });
    if (exitCode !== 0) await sleep(50);
  }
  await execa("chattr", ["-R", "-f", "-i", state], { reject: false });
  await rm(state, { recursive: true, force: true });
}

/** Detaches loop devices over files of the lab: they outlive the processes that have made them. */
async function detachLoopDevices(state: string): Promise<void> {
  const columns = "--output=NAME,BACK-INO,BACK-MAJ:MIN";
  const { stdout } = await execa("losetup", ["--list", "--noheadings", columns], { reject: false });
  const { stdout: disk } = await execa("findmnt", ["--noheadings", "--output=MAJ:MIN", "--target", state]);
  for (const [device, inode, onDisk] of stdout.split("\n").map((line) => line.trim().split(/\s+/))) {
    if (!device || !inode || onDisk !== disk.trim()) continue;
    const found = await execa("find", [state, "-xdev", "-type", "f", "-inum", inode, "-print", "-quit"]);
    if (found.stdout !== "") await execa("losetup", ["--detach", device], { reject: false });
  }
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file system in a file, mounted for the time of some work.

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

const PROGRAMS = {
  btrfs: { program: "mkfs.btrfs", from: "Debian's package btrfs-progs" },
  ext4: { program: "mkfs.ext4", from: "Debian's package e2fsprogs" },
  xfs: { program: "mkfs.xfs", from: "Debian's package xfsprogs" },
} as const;

/** Makes a file system of so many mebibytes, gives its mount point to `work`, and leaves nothing behind. Needs root. */
export async function onLoopFile<Result>(
  kind: keyof typeof PROGRAMS,
  mebibytes: number,
  work: (mount: string) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp("/var/tmp/nspawn-runner-loop-");
  const file = join(directory, "disk");
  const mount = join(directory, "mount");
  try {
    // Allocated, not sparse: what the file below grows by is not to be measured.
    await run("fallocate", ["--length", `${mebibytes}MiB`, file], { from: "every Debian system" });
    const { program, from } = PROGRAMS[kind];
    const env = { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
    await run(program, ["-q", file], { from, env });
    // Past the page cache of the file system below, as a disk is.
    const attach = ["--find", "--show", "--direct-io=on", file];
    const { output: device } = await run("losetup", attach, { from: "every Debian system", env });
    try {
      await run("mount", ["-o", "X-mount.mkdir", device, mount], { from: "every Debian system" });
    } finally {
      // Which comes true when nothing is mounted from it any more.
      await run("losetup", ["--detach", device], { from: "every Debian system", env });
    }
    try {
      return await work(mount);
    } finally {
      await run("umount", ["--recursive", mount], { from: "every Debian system" });
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

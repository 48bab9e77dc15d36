// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// losetup and mkfs: a temporary file system in a file.

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

const PROGRAMS = {
  btrfs: { program: "mkfs.btrfs", from: "Debian's package btrfs-progs" },
  ext4: { program: "mkfs.ext4", from: "Debian's package e2fsprogs" },
  xfs: { program: "mkfs.xfs", from: "Debian's package xfsprogs" },
} as const;

export type FileSystem = keyof typeof PROGRAMS;

/** Makes and mounts a file system of this size, calls `work` with the mount point, and removes everything. Needs root. */
export async function onLoopFile<Result>(
  kind: FileSystem,
  mebibytes: number,
  work: (mount: string) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp("/var/tmp/nspawn-runner-loop-");
  try {
    const mount = await mountLoopFile(directory, kind, mebibytes, { allocate: true });
    try {
      return await work(mount);
    } finally {
      await run("umount", ["--recursive", mount], { from: "every Debian system" });
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Makes a file system of this size in a file in the directory, and returns the mount point. The kernel detaches the loop device after the
 * last unmount.
 *
 * @param options.allocate For measurements: the file has all blocks from the start, and the loop device uses direct I/O, so that like a
 *   disk it has no second page cache below.
 */
export async function mountLoopFile(
  directory: string,
  kind: FileSystem,
  mebibytes: number,
  { allocate = false } = {},
): Promise<string> {
  const file = join(directory, "disk");
  const mount = join(directory, "mount");
  await run(allocate ? "fallocate" : "truncate", [allocate ? "--length" : "--size", `${mebibytes}MiB`, file], {
    from: "every Debian system",
  });
  const { program, from } = PROGRAMS[kind];
  const env = { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
  await run(program, ["-q", file], { from, env });
  const attach = ["--find", "--show", ...(allocate ? ["--direct-io=on"] : []), file];
  const { output: device } = await run("losetup", attach, { from: "every Debian system", env });
  try {
    await run("mount", ["-o", "X-mount.mkdir", device, mount], { from: "every Debian system" });
  } finally {
    await run("losetup", ["--detach", device], { from: "every Debian system", env });
  }
  return mount;
}

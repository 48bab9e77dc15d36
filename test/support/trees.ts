// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Trees for tests: a real Debian, made once and kept in the cache, and a Busybox for tests that need no Debian.

import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { debianSource } from "../../src/tool/debian-tree.ts";
import type { Suite } from "../../src/tool/mmdebstrap.ts";

export { debianSource };

/** Copies a Debian tree, as made by a creation, to a path that does not exist yet. */
export async function debianTree(target: string, suite: Suite = "bookworm"): Promise<string> {
  await mkdir(dirname(target), { recursive: true });
  await execa("cp", ["--archive", "--reflink=auto", await debianSource(suite), target]);
  return target;
}

/** The host of the package archive of a Debian tree: a name that DNS must know. */
export async function archiveHost(tree: string): Promise<string> {
  const sources = await readFile(join(tree, "etc/apt/sources.list"), "utf8");
  const host = /^deb https?:\/\/([^/\s]+)/m.exec(sources)?.[1];
  if (!host) throw new Error(`${tree} was made from no archive on the network`);
  return host;
}

/** Makes a tree of busybox alone: a shell and the usual tools, no Python, in a few milliseconds. */
export async function busyboxTree(target: string): Promise<string> {
  for (const directory of ["usr/bin", "usr/lib", "etc", "proc", "sys", "dev", "run", "tmp", "root", "var"]) {
    await mkdir(join(target, directory), { recursive: true });
  }
  await copyFile("/bin/busybox", join(target, "usr/bin/busybox"));
  // systemd-nspawn would make missing links.
  for (const name of ["bin", "lib"]) await symlink(`usr/${name}`, join(target, name));
  const { stdout } = await execa("/bin/busybox", ["--list"]);
  for (const applet of stdout.split("\n")) {
    if (applet !== "busybox") await symlink("busybox", join(target, "usr/bin", applet));
  }
  await writeFile(join(target, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await writeFile(join(target, "etc/os-release"), 'ID=busybox\nVERSION_ID=1\nPRETTY_NAME="Busybox 1"\n');
  return target;
}

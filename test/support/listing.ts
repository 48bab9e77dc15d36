// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A tree as text, for a comparison with the same tree later.

import { createHash } from "node:crypto";
import { execa, execaSync } from "execa";

/**
 * Changes with any write, chmod, link or rename in the tree: the kernel stamps the inode.
 *
 * @param options.read Whether reading a file counts as a change too.
 * @param options.root Whether the root directory counts; the kernel stamps a renamed directory.
 */
export function fingerprint(tree: string, { read = false, root = true } = {}): string {
  const inode = "%P %y %D:%i %n %m %U %G %s %T@ %C@ %l\\n";
  const argv = ["-P", tree, ...(root ? [] : ["-mindepth", "1"]), "-xdev", "-printf", inode];
  if (read) argv.push("-type", "f", "-printf", "%A@\\n");
  const { stdout } = execaSync("find", argv);
  // A failed comparison prints both texts: the checksum of a large tree, the files of a small one.
  return stdout.length < 4000 ? stdout : createHash("sha256").update(stdout).digest("hex");
}

/** All that a tree holds, without times and inodes: a tree that was repaired is as before. */
export async function contents(tree: string): Promise<string> {
  const find = await execa("find", [".", "-printf", "%p %y %m %U:%G %l\\n"], { cwd: tree });
  const sums = await execa("sh", ["-c", "find . -type f -size -1M -exec md5sum {} +"], { cwd: tree });
  return [find.stdout, sums.stdout].join("\n").split("\n").sort().join("\n");
}

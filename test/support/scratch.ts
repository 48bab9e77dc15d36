// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Directories of a test, on disk. The end of the test removes a directory with all mounts and immutable files.

import { mkdtempSync, readFileSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, onTestFinished } from "vitest";

/**
 * Makes a directory that is removed when the test ends, or with `"file"` when the test file ends.
 * Mounts beneath are undone first, the innermost first.
 */
export function scratch(lifetime: "test" | "file" = "test"): string {
  const directory = mkdtempSync("/var/tmp/nspawn-runner-test-");
  const remove = () => removeScratch(directory);
  if (lifetime === "test") onTestFinished(remove);
  else afterAll(remove);
  return directory;
}

/** Writes files and the parent directories; a path that ends in `/` is a directory. Returns the base directory. */
export async function files(base: string, contents: Record<string, string | Buffer>): Promise<string> {
  for (const [path, content] of Object.entries(contents)) {
    const target = join(base, path);
    await mkdir(path.endsWith("/") ? target : dirname(target), { recursive: true });
    if (!path.endsWith("/")) await writeFile(target, content);
  }
  await chmod(base, 0o755);
  return base;
}

/** Mount points at or beneath a directory, the innermost first. */
export function mountsBeneath(directory: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => path === directory || path.startsWith(`${directory}/`))
    .reverse();
}

async function removeScratch(directory: string): Promise<void> {
  // A process that was just killed may hold a mount for a moment.
  for (const end = Date.now() + 10_000; mountsBeneath(directory).length > 0; await sleep(100)) {
    for (const mount of mountsBeneath(directory)) await execa("umount", ["--detach-loop", mount], { reject: false });
    const left = mountsBeneath(directory);
    if (left.length > 0 && Date.now() > end) throw new Error(`Still mounted after the test: ${left.join(", ")}`);
  }
  await execa("chattr", ["-R", "-f", "-i", directory], { reject: false });
  await execa("rm", ["--recursive", "--force", "--one-file-system", directory]);
}

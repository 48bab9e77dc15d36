// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// apt-get and dpkg-query: the Debian packages that the development commands need.

import type { Print } from "./print.ts";
import { run } from "./run.ts";
import { runAsRoot } from "./sudo.ts";

/** Packages that the collection needs on a runner host. */
export const hostPackages: readonly string[] = ["ansible-core", "mmdebstrap", "systemd-container"];

/** All packages that the tests need. */
export const testPackages: readonly string[] = [
  ...hostPackages,
  "acl",
  // Has the connection plugin community.general.chroot.
  "ansible",
  "attr",
  "btrfs-progs",
  "busybox-static",
  "createrepo-c",
  "debootstrap",
  "dnf",
  "dpkg-dev",
  "e2fsprogs",
  "eatmydata",
  "gpg",
  "gpg-agent",
  "iproute2",
  "libcap2-bin",
  "procps",
  "python3-coverage",
  "python3-pytest",
  "rpm",
  "shellcheck",
  "strace",
  "xfsprogs",
  "xz-utils",
  "zstd",
];

/**
 * Installs the packages that are not installed yet, and prints their names. Without root, apt-get runs behind sudo.
 *
 * @throws {ToolError} when apt-get is missing, or fails after an output on the terminal.
 */
export async function installPackages(packages: readonly string[], print: Print): Promise<void> {
  const missing = [];
  for (const name of packages) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return;
  print(`Installing Debian packages: ${missing.join(" ")}`);
  await aptGet(["update", "--quiet=2"]);
  await aptGet(["install", "--quiet=2", "--yes", "--no-install-recommends", ...missing]);
}

async function isInstalled(name: string): Promise<boolean> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder.
  const format = "--showformat=${db:Status-Status}";
  const from = "Debian, which these commands need";
  return (await run("dpkg-query", ["--show", format, name], { from, answers: [0, 1] })).output === "installed";
}

async function aptGet(args: readonly string[]): Promise<void> {
  // A machine that has just booted may be running unattended upgrades.
  await runAsRoot(["apt-get", "-o", "DPkg::Lock::Timeout=600", ...args], { DEBIAN_FRONTEND: "noninteractive" });
}

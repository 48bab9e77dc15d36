// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Debian trees by mmdebstrap, each made once and kept in the cache.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { basePackages } from "../model/bootstrap-tools.ts";
import { cached } from "./cache.ts";
import { run } from "./run.ts";

export type Suite = "bookworm" | "trixie";

/** A Debian tree such as a creation makes it. It is shared, and not to be changed. */
export function debianSource(suite: Suite = "bookworm"): Promise<string> {
  return cached(`tree-${suite}-1`, async (directory) => {
    const args = ["--quiet", "--variant=minbase", `--include=${basePackages.join(",")}`, suite, directory];
    await run("mmdebstrap", args, { from: "Debian's package mmdebstrap" });
    for (const file of ["etc/hostname", "etc/resolv.conf"]) await rm(join(directory, file), { force: true });
  });
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Builds the artifact and installs the collection by ansible-galaxy, as a user does.

import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Print } from "../tool/print.ts";
import { run } from "../tool/run.ts";
import { build } from "./build.ts";

/**
 * @param collections Directory to install in, for ANSIBLE_COLLECTIONS_PATH.
 * @returns 0, or the exit code of the failed build, which has printed the reasons.
 */
export async function installArtifact(collections: string, print: Print): Promise<number> {
  const built = await build(print);
  if (built !== 0) return built;
  await mkdir(collections, { recursive: true });
  const [artifact] = (await readdir("dist")).filter((name) => name.endsWith(".tar.gz"));
  await run(
    "ansible-galaxy",
    ["collection", "install", "--force", "--collections-path", collections, join("dist", artifact as string)],
    // Without the variable, ansible-galaxy warns that Ansible does not search this directory.
    { from: "Debian's package ansible-core", env: { ANSIBLE_COLLECTIONS_PATH: collections } },
  );
  return 0;
}

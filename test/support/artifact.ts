// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Builds the artifact and installs the artifact by ansible-galaxy, once for all vitest projects that ask for this set-up. The tests of these
// projects never see the source tree.

import { chmod, mkdtemp, rm } from "node:fs/promises";
import type { TestProject } from "vitest/node";
import { installArtifact } from "../../src/artifact/install.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Directory that the artifact is installed in, for ANSIBLE_COLLECTIONS_PATH. */
    collections: string;
  }
}

export default async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  // vitest calls this function for each project, and every project inherits what the root project provides.
  const root = vitest.getRootProject();
  if ("collections" in root.getProvidedContext()) return undefined;
  const collections = await mkdtemp("/var/tmp/nspawn-runner-artifact-");
  // Readable by the unprivileged users that some tests run as.
  await chmod(collections, 0o755);
  const remove = () => rm(collections, { recursive: true, force: true });
  const lines: string[] = [];
  if ((await installArtifact(collections, (line) => lines.push(line))) !== 0) {
    await remove();
    throw new Error(lines.join("\n"));
  }
  // A new file that git does not know is missing in the artifact under test.
  for (const line of lines.filter((one) => one.endsWith("git does not know it."))) console.warn(line);
  root.provide("collections", collections);
  return remove;
}

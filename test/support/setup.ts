// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Before all tests: builds the artifact and installs it by ansible-galaxy, once. Tests never see the source tree.

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Directory that the artifact is installed in, for ANSIBLE_COLLECTIONS_PATH. */
    collections: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const collections = await mkdtemp("/var/tmp/nspawn-runner-artifact-");
  // Readable by the unprivileged users that some tests run as.
  await execa("chmod", ["755", collections]);
  await execa("npm", ["run", "--silent", "build"], { stdout: "ignore" });
  const artifact = (await readdir("dist")).filter((name) => name.endsWith(".tar.gz"));
  if (artifact.length !== 1)
    throw new Error(`dist/ must hold one artifact after a build; it holds: ${artifact.join(", ")}`);
  await execa("ansible-galaxy", [
    "collection",
    "install",
    "--force",
    "--collections-path",
    collections,
    join("dist", artifact[0] as string),
  ]);
  project.provide("collections", collections);
  return () => rm(collections, { recursive: true, force: true });
}

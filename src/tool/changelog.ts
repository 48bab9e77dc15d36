// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// antsibull-changelog: writes the collection's changelog from fragments.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { newestOnThisPython } from "./ansible-versions.ts";
import type { Print } from "./print.ts";
import { virtualEnvironment } from "./python.ts";
import { run } from "./run.ts";

export const antsibullChangelog = "antsibull-changelog==0.36.0";

export const FRAGMENTS = "changelogs/fragments";
export const CHANGELOG = "CHANGELOG.rst";

/** File names of the fragments for the next release. */
export const fragments = async (collection: string): Promise<readonly string[]> =>
  (await readdir(join(collection, FRAGMENTS)).catch(() => [])).filter((name) => /\.ya?ml$/.test(name));

/**
 * Writes the changelog of the version in galaxy.yml, and removes the fragments.
 *
 * @param collections Directory with a built collection in `ansible_collections/nspawn/runner`.
 */
export async function releaseChangelog(collections: string, collection: string, print: Print): Promise<void> {
  // It asks ansible-doc for new plugins.
  const bin = await virtualEnvironment([antsibullChangelog, `ansible-core==${newestOnThisPython}`], print);
  const env = { ANSIBLE_COLLECTIONS_PATH: collections, PATH: `${bin}:${process.env["PATH"]}` };
  await run("antsibull-changelog", ["release"], { cwd: collection, env, from: `PyPI: ${antsibullChangelog}` });
}

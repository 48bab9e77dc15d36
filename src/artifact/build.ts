// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Assembles the collection from its two halves and builds the artifact.

import type { Stats } from "node:fs";
import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { apply } from "../output/apply.ts";
import { compare } from "../output/compare.ts";
import { listFiles } from "../output/directory.ts";
import { type Plan, type PlannedFile, planFiles } from "../output/plan.ts";
import { buildArtifact } from "../tool/galaxy.ts";
import { trackedFiles } from "../tool/git.ts";
import type { Print } from "../tool/print.ts";
import { generatedDifferences } from "./drift.ts";

/** The built collection. */
export const BUILD = "build/ansible_collections/nspawn/runner";
const DIST = "dist";

/** Files of the repository that every copy of the collection carries. */
const CARRIED = ["LICENSE"];

/** @returns 0 and the artifact in dist/; 1 when a mistake in the sources prevents the build, with each mistake printed. */
export async function build(print: Print, { root = "." } = {}): Promise<number> {
  if ((await generatedDifferences(root)).length > 0) {
    print('generated/ is out of date: run "npm run generate".');
    return 1;
  }
  const tracked = await trackedFiles(root);
  const found = await collectionSources(root);
  const sources = found.filter(({ from }) => tracked?.has(from) ?? true);
  for (const { from } of found) {
    if (!sources.some((source) => source.from === from)) print(`${from} is left out: git does not know it.`);
  }
  const problems = sourceProblems(sources);
  for (const problem of problems) print(problem);
  if (problems.length > 0) return 1;

  const directory = join(root, BUILD);
  await mkdir(directory, { recursive: true });
  await apply(directory, await compare(directory, await readPlan(root, sources), ""));

  for (const name of await replaceArtifact(directory, join(root, DIST))) print(`${DIST}/${name}`);
  return 0;
}

/** Builds beside the old artifact, which stays until the new one is complete. */
async function replaceArtifact(collection: string, dist: string): Promise<readonly string[]> {
  await mkdir(dist, { recursive: true });
  const fresh = await mkdtemp(join(dist, ".new-"));
  try {
    await buildArtifact(collection, fresh);
    const names = await readdir(fresh);
    for (const name of names) await rename(join(fresh, name), join(dist, name));
    const old = (await readdir(dist)).filter((name) => name.endsWith(".tar.gz") && !names.includes(name));
    for (const name of old) await rm(join(dist, name), { force: true });
    return names;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

interface Source {
  /** In the repository. */
  readonly from: string;
  /** In the collection. */
  readonly to: string;
  readonly stats: Stats;
}

async function collectionSources(root: string): Promise<readonly Source[]> {
  const source = async (from: string, to: string) => ({ from, to, stats: await lstat(join(root, from)) });
  const below = async (directory: string, to = ""): Promise<Source[]> => {
    const paths = await listFiles(root, directory);
    return Promise.all(paths.map((path) => source(path, to + path.slice(directory.length + 1))));
  };
  const carried = (await readdir(root)).filter((name) => CARRIED.includes(name));
  return [
    ...(await below("collection")),
    ...(await below("generated/collection")),
    ...(await below("generated/schema", "schema/")),
    ...(await Promise.all(carried.map((name) => source(name, name)))),
  ];
}

function sourceProblems(sources: readonly Source[]): readonly string[] {
  const first = new Map<string, string>();
  return sources.flatMap(({ from, to, stats }) => {
    if (!stats.isFile()) return [`${from} is not a regular file.`];
    const other = first.get(to);
    if (other === undefined) first.set(to, from);
    return other === undefined ? [] : [`${other} and ${from} are the same file of the collection: remove one.`];
  });
}

async function readPlan(root: string, sources: readonly Source[]): Promise<Plan> {
  const files = await Promise.all(
    sources.map(async ({ from, to, stats }): Promise<[string, PlannedFile]> => {
      const mode = stats.mode & 0o100 ? 0o755 : 0o644;
      return [to, { content: await readFile(join(root, from)), mode }];
    }),
  );
  return planFiles(files);
}

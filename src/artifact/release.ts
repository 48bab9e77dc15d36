// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A release of the version in package.json. Pushing and publishing cannot be taken back, so these two commands are only printed.

import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { CHANGELOG, FRAGMENTS, fragments, releaseChangelog } from "../tool/changelog.ts";
import { git } from "../tool/git.ts";
import type { Print } from "../tool/print.ts";
import { BUILD, build } from "./build.ts";

/**
 * Turns the fragments into the changelog, builds the artifact, commits and tags.
 *
 * @param options.dryRun Work in a temporary clone, and commit nothing.
 * @returns 0; 1 when this checkout cannot be released, with the reasons printed.
 */
export async function release(
  print: Print,
  { dryRun = false, root = "." }: { dryRun?: boolean; root?: string } = {},
): Promise<number> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const problems = await whyNot(root, version);
  for (const problem of problems) print(problem);
  if (problems.length > 0) return 1;

  const scratch = await mkdtemp("/var/tmp/nspawn-runner-release-");
  try {
    const checkout = dryRun ? join(scratch, "checkout") : root;
    if (dryRun) await git(root, "clone", "--quiet", ".", checkout);
    if ((await build(print, { root: checkout })) !== 0) return 1;
    print(`\ncollection/${CHANGELOG}\n\n${await writeChangelog(checkout, join(scratch, "collections"), print)}`);
    // Again, now with the changelog, which must be known to git.
    await git(checkout, "add", "--all", "collection");
    if ((await build(print, { root: checkout })) !== 0) return 1;
    if (!dryRun) await commit(root, version);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const done = `git commit --message "Release ${version}" collection && git tag ${version}`;
  print(
    dryRun
      ? `Nothing of this was kept. Without --dry-run, the release ends with:\n\n  ${done}\n`
      : `Done:\n\n  ${done}\n`,
  );
  print("To publish the release, run:\n");
  print(`  git push origin HEAD ${version}\n  ansible-galaxy collection publish dist/*-${version}.tar.gz`);
  return 0;
}

async function whyNot(root: string, version: string): Promise<readonly string[]> {
  const problems: string[] = [];
  const changes = await git(root, "status", "--porcelain");
  if (changes !== "") problems.push(`This checkout has uncommitted changes: commit or stash them.\n${changes}`);
  if ((await git(root, "tag", "--list", version)) !== "")
    problems.push(
      `${version} is already released: run "npm version --no-git-tag-version X.Y.Z" and "npm run generate", and commit.`,
    );
  if ((await fragments(join(root, "collection"))).length === 0)
    problems.push(`collection/${FRAGMENTS} is empty: add a fragment for each change that users notice.`);
  return problems;
}

/** @returns The changelog. antsibull-changelog writes it in a copy of the built collection, where all plugins are in place. */
async function writeChangelog(checkout: string, collections: string, print: Print): Promise<string> {
  const copy = join(collections, relative("build", BUILD));
  await cp(join(checkout, BUILD), copy, { recursive: true });
  await releaseChangelog(collections, copy, print);
  const collection = join(checkout, "collection");
  for (const path of [CHANGELOG, "changelogs/changelog.yaml"]) await cp(join(copy, path), join(collection, path));
  for (const name of await fragments(collection)) await rm(join(collection, FRAGMENTS, name));
  return readFile(join(collection, CHANGELOG), "utf8");
}

async function commit(root: string, version: string): Promise<void> {
  await git(root, "commit", "--quiet", "--message", `Release ${version}`);
  await git(root, "tag", version);
}

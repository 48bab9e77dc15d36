// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `release` on a checkout that is not ready. A checkout that is ready is a gate of the matrix: the changelog needs PyPI.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { type CliResult, cli } from "../support/cli.ts";
import { modelCheckout } from "../support/model.ts";
import { files, scratch } from "../support/scratch.ts";

const author = {
  GIT_AUTHOR_NAME: "a",
  GIT_AUTHOR_EMAIL: "a@example.org",
  GIT_COMMITTER_NAME: "a",
  GIT_COMMITTER_EMAIL: "a@example.org",
};

/** A checkout with all files in one commit. */
async function repository(contents: Record<string, string>): Promise<string> {
  const directory = await files(await modelCheckout(scratch()), { "collection/README.md": "# Boxes\n", ...contents });
  for (const args of [
    ["init", "--quiet"],
    ["add", "--all"],
    ["commit", "--quiet", "--message", "All"],
  ])
    await execa("git", args, { cwd: directory, env: author });
  return directory;
}

const tag = (cwd: string, name: string) => execa("git", ["tag", name], { cwd });

async function release(directory: string): Promise<CliResult> {
  const head = async () => (await execa("git", ["rev-list", "--all", "--tags"], { cwd: directory })).stdout;
  const before = await head();
  const result = await cli(directory, ["release", "--dry-run"]);
  expect(await head()).toBe(before);
  expect(result.stderr).toBe("");
  expect(result.exitCode).toBe(1);
  return result;
}

test("a checkout with changes, of a released version, without a fragment: one sentence for each", async () => {
  const directory = await repository({});
  await writeFile(join(directory, "new"), "");
  await tag(directory, "1.2.3");
  const { stdout } = await release(directory);
  expect(stdout.split("\n")).toEqual([
    "This checkout has uncommitted changes: commit or stash them.",
    "?? new",
    '1.2.3 is already released: run "npm version --no-git-tag-version X.Y.Z" and "npm run generate", and commit.',
    "collection/changelogs/fragments is empty: add a fragment for each change that users notice.",
  ]);
});

test("a version that was raised, but not in the generated files", async () => {
  const directory = await repository({ "collection/changelogs/fragments/one.yml": "bugfixes:\n  - one\n" });
  await tag(directory, "1.2.2");
  const { stdout } = await release(directory);
  expect(stdout).toBe('generated/ is out of date: run "npm run generate".');
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The README's ansible-pull: a host fetches the playbooks from a git repository.

import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { playbook, recap, summary } from "../support/runner-host.ts";
import { files, scratch } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

test("ansible-pull -l nspawn_runner maintains the images of a repository", async () => {
  const directory = scratch();
  const root = join(directory, "images");
  await busyboxTree(join(root, "aa"));
  const repository = join(directory, "repository");
  await files(repository, {
    "nspawn_runner.yml": "plugin: nspawn.runner.chroots\n",
    "site.yml": "- import_playbook: nspawn.runner.maintenance\n",
    "aa.yml": playbook("aa", "- raw: hostname >/pulled"),
  });
  const git = (...args: string[]) =>
    execa("git", ["-C", repository, "-c", "user.name=x", "-c", "user.email=x@example.org", ...args]);
  await git("init", "--quiet");
  await git("add", ".");
  await git("commit", "--quiet", "--message=Images");
  const pulled = await ansible(
    "ansible-pull",
    [
      ...["-U", `file://${repository}`, "-d", join(directory, "checkout")],
      ...["-i", "nspawn_runner.yml", "-l", "nspawn_runner", "site.yml"],
    ],
    { cwd: directory, env: { NSPAWN_RUNNER_ROOT: root, HOME: directory } },
  );
  expect(pulled.exitCode, `${pulled.stdout}\n${pulled.stderr}`).toBe(0);
  expect(summary(pulled, "aa").slice(0, 2)).toEqual(["published", "1"]);
  expect(recap(pulled, "aa")).toMatchObject({ failed: 0, changed: 1 });
});

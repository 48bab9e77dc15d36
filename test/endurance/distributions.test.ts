// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The example of another distribution, with the packages of a repository of the test's own: no test depends on the archives of Fedora.

import { cpSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { ansible, collectionPath } from "../support/ansible.ts";
import { type RpmRepository, rpmRepository } from "../support/rpm-repository.ts";
import { sentence, summary } from "../support/runner-host.ts";
import { scratch } from "../support/scratch.ts";

const base = scratch("file");
const [directory, root] = [join(base, "etc"), join(base, "images")];
let repository: RpmRepository;

const run = (...args: string[]) =>
  ansible("ansible-playbook", ["-i", "nspawn_runner.yml", "nspawn.runner.maintenance", "--limit", "fedora", ...args], {
    cwd: directory,
    env: { NSPAWN_RUNNER_ROOT: root },
  });

beforeAll(async () => {
  await mkdir(directory);
  cpSync(join(collectionPath(), "examples/distributions"), directory, { recursive: true });
  cpSync(join(collectionPath(), "examples/nspawn_runner.yml"), join(directory, "nspawn_runner.yml"));
  repository = await rpmRepository();
  const [play] = parse(readFileSync(join(directory, "fedora.yml"), "utf8"));
  // The arguments behind the script, the tree, the release, the key and the repositories.
  const names: string[] = play.vars.nspawn_runner_create_command.slice(5);
  expect(names).toContain("python3");
  // The busybox of the test's packages has no Python.
  const tasks = [{ name: "Look", "ansible.builtin.raw": "test -x /usr/bin/busybox", changed_when: false }];
  await writeFile(join(directory, "fedora.yml"), stringify([{ ...play, tasks }]));
  for (const name of names) await repository.add(name, "1", name === "fedora-release");
  await repository.publish();
});

describe("fedora.yml", () => {
  const given = () => [
    "-e",
    JSON.stringify({ fedora_repositories: [`file://${repository.directory}`], fedora_key: repository.key }),
  ];

  test("is made by Debian's dnf, with the database in Fedora's place; changes of packages are told", async () => {
    const first = await run(...given());
    expect(sentence(first, "fedora")).toBe("");
    expect(summary(first, "fedora")[0]).toBe("published");
    const place = join(root, "fedora/usr/lib/sysimage/rpm/rpmdb.sqlite");
    expect(readFileSync(place).subarray(0, 15).toString()).toBe("SQLite format 3");
    await repository.add("git-core", "2");
    await repository.publish();
    const again = await run(...given(), "-e", "nspawn_runner_maint_recreate=true");
    expect(summary(again, "fedora").slice(0, 5)).toEqual(["published", "0", "0", "0", "1"]);
    const { published } = JSON.parse(readFileSync(join(root, ".nspawn-runner/fedora/state.json"), "utf8"));
    expect(published.packages).toEqual([{ name: "git-core", from: "1-1.fc43", to: "2-1.fc43" }]);
  });

  test("is not made from packages of another key", async () => {
    const key = (await rpmRepository()).key;
    rmSync(join(root, "fedora"), { recursive: true });
    const result = await run(...given(), "-e", JSON.stringify({ fedora_key: key }));
    expect(sentence(result, "fedora")).toMatch(/dnf-tree\.sh failed/);
  });
});

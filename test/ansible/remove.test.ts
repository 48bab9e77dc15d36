// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// An image is removed with its earlier trees and private files, and only when it is named and unused.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, onTestFinished, test } from "vitest";
import type { AnsibleResult } from "../support/ansible.ts";
import { playbook, type RunnerHost, runnerHost } from "../support/runner-host.ts";
import { busyboxTree } from "../support/trees.ts";

const text = ({ stdout, stderr }: AnsibleResult) => (stdout + stderr).replaceAll(/\s+/g, " ");

const remove = (host: RunnerHost, name: string, ...more: readonly string[]): Promise<AnsibleResult> =>
  host.run(["nspawn.runner.remove", "-e", `nspawn_runner_remove=${name}`, ...more]);

/** The names in the root directory, and in the directory of the private state. */
const left = (host: RunnerHost): readonly string[][] => [
  readdirSync(host.root).sort(),
  readdirSync(join(host.root, ".nspawn-runner")).sort(),
];

test("an image that is named and unused goes with all its trees, and the next run completes a killed removal", async () => {
  const host = await runnerHost({}, ["aa", "bb"]);
  for (const word of ["one", "two"]) {
    for (const image of ["aa", "bb"])
      writeFileSync(join(host.directory, `${image}.yml`), playbook(image, `- raw: echo ${word} >/etc/word`));
    expect((await host.run(["site.yml"])).exitCode).toBe(0);
  }
  const before = left(host);
  expect(before).toEqual([
    [".nspawn-runner", "aa", "bb"],
    ["aa", "bb"],
  ]);

  const refused: [Promise<AnsibleResult>, string][] = [
    [
      host.run(["nspawn.runner.remove"]),
      "no image is named: give -e nspawn_runner_remove=NAME, and choose one of aa, bb",
    ],
    [remove(host, "cc"), `there is no image 'cc' in ${host.root}: choose one of aa, bb`],
    [remove(host, "../images/aa"), "'../images/aa' cannot be an image"],
  ];
  for (const [run, message] of refused) {
    const result = await run;
    expect(result.exitCode).toBe(2);
    expect(text(result)).toContain(message);
    expect(text(result)).not.toMatch(/Traceback|An exception occurred/);
  }

  const [generation] = readdirSync(host.state("aa", "generations")) as [string];
  const user = execa("sleep", ["300"], { cwd: host.state("aa", `generations/${generation}`), reject: false });
  onTestFinished(() => void user.kill("SIGKILL"));
  for (const more of [[], ["--check"]]) {
    const used = await remove(host, "aa", ...more);
    expect(used.exitCode).toBe(2);
    expect(text(used)).toContain(`generations/${generation} is in use by process ${user.pid}`);
  }
  user.kill("SIGKILL");
  await user;

  const looked = await remove(host, "aa", "--check");
  expect(looked.exitCode).toBe(0);
  expect(text(looked)).toContain(`${host.root}/aa would be removed`);
  expect(left(host)).toEqual(before);

  rmSync(join(host.directory, "aa.yml"));
  const removed = await remove(host, "aa", "--limit", "aa");
  expect(removed.exitCode).toBe(0);
  expect(text(removed)).toContain(`aa | ${host.root}/aa was removed `);
  expect(left(host)).toEqual([[".nspawn-runner", "bb"], ["bb"]]);

  // As a removal that is killed before the trees in its trash are gone: the inventory lists no image any more.
  rmSync(join(host.directory, "bb.yml"));
  mkdirSync(host.state("bb", "trash-00000000"));
  renameSync(join(host.root, "bb"), host.state("bb", "trash-00000000/0"));
  const completed = await remove(host, "bb");
  expect(completed.exitCode, text(completed)).toBe(0);
  expect(left(host)).toEqual([[".nspawn-runner"], []]);
  expect((await remove(host, "bb")).exitCode).toBe(2);

  await busyboxTree(join(host.root, "cc"));
  writeFileSync(join(host.directory, "cc.yml"), playbook("cc", "- debug:"));
  expect(text(await remove(host, "cc"))).toContain(`${host.directory}/cc.yml still declares the image`);
  expect(existsSync(join(host.root, "cc"))).toBe(false);
  expect(existsSync(join(host.directory, "cc.yml"))).toBe(true);
});

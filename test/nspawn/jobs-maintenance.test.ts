// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Jobs during publishes, prunes and rollbacks: a job sees one tree from its start to its end, and neither side waits.

import { existsSync, readdirSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import type { Result } from "../support/gitlab-runner.ts";
import { ImageHost } from "../support/image-host.ts";
import { type JobHost, jobHost, left } from "../support/job-host.ts";
import { until } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

const directory = scratch("file");
let jobs: JobHost;
let image: ImageHost;
beforeAll(async () => {
  jobs = await jobHost(directory, { img: small });
  image = new ImageHost(directory);
  await publish("first");
});

/** A Debian without the directories that no job of these tests needs: each publish copies the tree. */
async function small(tree: string): Promise<void> {
  await debianTree(tree);
  for (const path of ["usr/share/doc", "usr/share/locale", "usr/share/man", "var/lib/apt", "var/cache/apt"])
    await rm(join(tree, path), { recursive: true, force: true });
}

async function value<T>(expression: string): Promise<T> {
  const { value, error } = await image.call<T>(expression);
  if (error) throw new Error(error);
  return value as T;
}

const publish = (word: string) =>
  value(
    `(stage.stage_tree(p, log.append), open(p.staged + '/etc/word', 'w').write('${word}\\n'), publish.publish(p, {}))[2]`,
  );
const prune = () => value<string[]>("generations.prune(p, 0, 0, log.append)");
const rollBack = () => value("generations.roll_back(p, None)");

/** A job that reads the word of the tree in each stage. */
const read = "cat /etc/word";
const words = ({ log }: Result) => log.match(/^(?:first|second|third|w\d)$/gm) ?? [];

test("a job keeps its generation during a publish, a prune and a rollback", async () => {
  const script = ["cat /etc/word; echo be''gun; until test -e /root/go; do sleep 0.05; done", read, "git --version"];
  const build = jobs.start({ image: "img", id: 816, script, afterScript: [read] });
  await until(() => build.log.includes("begun"));
  await publish("second");
  expect(await prune()).toEqual([]);
  // The next job has the new tree, while the first one runs.
  expect(words(await jobs.run({ image: "img", script: [read] }))).toEqual(["second"]);
  await publish("third");
  await rollBack();
  expect(words(await jobs.run({ image: "img", script: [read] }))).toEqual(["second"]);
  await jobs.call(["enter", (await only()).job], { input: "touch /root/go\n", stdin: "pipe" });
  const result = await build.result;
  expect(result, result.log).toMatchObject({ status: "success" });
  expect(words(result)).toEqual(["first", "first", "first"]);
  await until(() => left(jobs).length === 0);
  // Now no job holds a generation. The tree that was replaced last goes with the second prune.
  expect((await prune()).length).toBeGreaterThan(0);
  await prune();
  expect(readdirSync(join(image.state, "generations"))).toHaveLength(0);
});

/** The job of the first test: jobs of other tests run on this machine too. */
async function only(): Promise<{ job: string }> {
  const { stdout } = await jobs.call(["jobs", "--json"]);
  const found = JSON.parse(stdout).filter(({ label }: { label: string }) => label === "816");
  expect(found).toHaveLength(1);
  return found[0];
}

test("jobs one after the other, while trees are published and pruned all the time", async () => {
  let going = true;
  const inLoop = async () => {
    const failures: string[] = [];
    let count = 0;
    for (; going; count++) {
      const result = await jobs.run({ image: "img", script: [read, "sleep 0.2", read], afterScript: [read] });
      if (result.status !== "success" || words(result).length !== 3 || new Set(words(result)).size !== 1)
        failures.push(`${result.reason}\n${result.log}`);
    }
    return { count, failures };
  };
  const loops = Array.from({ length: 3 }, inLoop);
  for (let round = 0; round < 4; round++) {
    await publish(`w${round}`);
    await prune();
    if (round % 2) await rollBack();
    if (round % 2) await value("generations.release(p)");
  }
  going = false;
  for (const { count, failures } of await Promise.all(loops)) {
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(1);
  }
});

test.each(["config", "prepare"] as const)("an image that vanishes after %s", async (after) => {
  const away = `${image.tree}.away`;
  onTestFinished(async () => {
    if (existsSync(away)) await rename(away, image.tree);
  });
  // The call as it is, and then the image goes.
  const { driver } = jobs.options();
  const moving = ["sh", "-c", 'tree=$1 away=$2; shift 2; "$@"; status=$?; mv "$tree" "$away"; exit $status', "sh"];
  const changed = { ...driver, [after]: [...moving, image.tree, away, ...(driver[after] as string[])] };
  const result = await jobs.run({ image: "img", script: [read] }, "19.4", { driver: changed });
  expect(result.log).not.toContain("Traceback");
  if (after === "prepare") expect(words(result)).toHaveLength(1);
  else expect(result).toMatchObject({ status: "failed", log: expect.stringContaining("img") });
});

test("a tree without a record, as of upstream's program, has jobs too", async () => {
  const other = await jobHost(scratch(), { plain: debianTree });
  await writeFile(join(other.tree("plain"), "etc/word"), "first\n");
  expect(words(await other.run({ image: "plain", script: [read] }))).toEqual(["first"]);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Earlier trees: listed, put back, held and released.

import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AnsibleResult } from "../support/ansible.ts";
import { playbook, type RunnerHost, recap, runnerHost, sentence, summary } from "../support/runner-host.ts";
import { files } from "../support/scratch.ts";

const word = (host: RunnerHost, image = "aa") => readFileSync(join(host.root, image, "etc/word"), "utf8").trim();
const state = (host: RunnerHost, image = "aa") => JSON.parse(readFileSync(host.state(image, "state.json"), "utf8"));
const text = ({ stdout, stderr }: AnsibleResult) => stdout + stderr;

/** A host with two images, published with the words one, two and three. */
async function threeTimes(): Promise<RunnerHost> {
  const host = await runnerHost({}, ["aa", "bb"]);
  for (const text of ["one", "two", "three"]) {
    for (const image of ["aa", "bb"])
      await writeFile(join(host.directory, `${image}.yml`), playbook(image, `- raw: echo ${text} >/etc/word`));
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(0);
  }
  return host;
}

test("a rollback puts the earlier tree back, holds the image until a release, and can be undone", async () => {
  const host = await threeTimes();
  const newest = state(host).published.id as string;
  const ids = state(host).generations.map(({ id }: { id: string }) => id) as string[];

  const back = await host.run(["nspawn.runner.rollback", "--limit", "aa"]);
  expect(back.exitCode).toBe(0);
  expect(recap(back, "aa")).toMatchObject({ changed: 1, failed: 0 });
  expect([word(host), word(host, "bb")]).toEqual(["two", "three"]);
  expect(state(host)).toMatchObject({ published: { id: ids[0] }, hold: { generation: ids[0] } });
  expect(state(host).generations.map(({ id }: { id: string }) => id)).toContain(newest);

  const held = await host.run(["site.yml"]);
  expect(held.exitCode).toBe(0);
  expect(summary(held, "aa")[0]).toBe("held");
  expect(sentence(held, "aa")).toContain("nspawn.runner.release --limit aa");
  expect(word(host)).toBe("two");

  const further = await host.run(["nspawn.runner.rollback", "--limit", "aa"]);
  expect(further.exitCode).toBe(0);
  expect(word(host)).toBe("one");
  const forward = await host.run([
    "nspawn.runner.rollback",
    "--limit",
    "aa",
    "-e",
    `nspawn_runner_generation=${newest}`,
  ]);
  expect(forward.exitCode).toBe(0);
  expect(word(host)).toBe("three");

  const released = await host.run(["nspawn.runner.release", "--limit", "aa"]);
  expect(recap(released, "aa")).toMatchObject({ changed: 1, failed: 0 });
  expect(recap(await host.run(["nspawn.runner.release", "--limit", "aa"]), "aa")).toMatchObject({ changed: 0 });
  await writeFile(join(host.directory, "aa.yml"), playbook("aa", "- raw: echo four >/etc/word"));
  expect(summary(await host.run(["site.yml"]), "aa")[0]).toBe("published");
  expect(word(host)).toBe("four");
});

test("a rollback is refused without --limit, without an earlier tree, and to a generation that does not exist", async () => {
  const host = await threeTimes();
  const before = readFileSync(host.state("aa", "state.json"), "utf8");
  const all = await host.run(["nspawn.runner.rollback"]);
  expect(all.exitCode).toBe(2);
  expect(text(all)).toContain("never all by accident");
  const id = "20200101T000000Z";
  const unknown = await host.run(["nspawn.runner.rollback", "--limit", "aa", "-e", `nspawn_runner_generation=${id}`]);
  expect(unknown.exitCode).toBe(2);
  expect(text(unknown)).toContain(id);
  for (const [given, message] of [
    ["nspawn_runner_genration=x", "unknown variable; the nearest known one is nspawn_runner_generation"],
    ["nspawn_runner_generation=", "-e nspawn_runner_generation is empty"],
  ] as const) {
    const refused = await host.run(["nspawn.runner.rollback", "--limit", "aa", "-e", given]);
    expect(refused.exitCode).toBe(2);
    expect(text(refused)).toContain(message);
  }
  expect([word(host), word(host, "bb")]).toEqual(["three", "three"]);
  expect(readFileSync(host.state("aa", "state.json"), "utf8")).toBe(before);

  const fresh = await runnerHost({ "cc.yml": playbook("cc", "- debug:") }, ["cc"]);
  const none = await fresh.run(["nspawn.runner.rollback", "--limit", "cc"]);
  expect(none.exitCode).toBe(2);
  expect(text(none)).toContain("image cc has no earlier trees");
  expect(text(none)).not.toMatch(/Traceback|An exception occurred/);
});

test("a fact cannot choose the generation, and --check swaps nothing", async () => {
  const host = await threeTimes();
  const ids = state(host).generations.map(({ id }: { id: string }) => id) as string[];
  // A hostile tree can put a fact into the fact cache.
  const cache = { ANSIBLE_CACHE_PLUGIN: "jsonfile", ANSIBLE_CACHE_PLUGIN_CONNECTION: join(host.directory, "facts") };
  const fact = JSON.stringify({ nspawn_runner_generation: ids[1] });
  // The names of the cache's files in ansible-core 2.14 and 2.19.
  await files(host.directory, { "facts/aa": fact, "facts/s1_aa": fact });
  const looked = await host.run(["nspawn.runner.rollback", "--limit", "aa", "--check"], { env: cache });
  expect(looked.exitCode).toBe(0);
  expect(text(looked)).toContain(`would be rolled back from ${state(host).published.id} to ${ids[0]}`);
  expect(word(host)).toBe("three");
});

test("the list of generations shows the playbook and the time of each tree", async () => {
  const host = await threeTimes();
  const result = await host.run(["nspawn.runner.generations"]);
  expect(result.exitCode).toBe(0);
  const lines =
    result.stdout
      .split("PLAY RECAP")[0]
      ?.split("\n")
      .filter((line) => line.startsWith("aa ")) ?? [];
  const { published, generations } = state(host);
  expect(lines.map((line) => line.split(/ {2,}/).slice(1, 3))).toEqual([
    [published.id, "published"],
    ...generations.map(({ id }: { id: string }) => [id, "earlier"]),
  ]);
  expect(lines[0]).toContain(`aa.yml ${published.playbook_sha256.slice(0, 8)}`);
  expect(lines[0]).toMatch(/ {2}\d min {2}/);
  expect(readdirSync(host.state("aa", "generations")).sort()).toEqual(
    generations.map(({ id }: { id: string }) => id).sort(),
  );
});

test("the state of the images is a table or a line of JSON, and the exit status tells of a problem", async () => {
  const host = await runnerHost(
    { "aa.yml": playbook("aa", "- raw: echo one >/etc/word"), "bb.yml": playbook("bb", "- debug:") },
    ["aa", "bb"],
  );
  expect((await host.run(["site.yml"])).exitCode).toBe(0);
  const well = await host.run(["nspawn.runner.status"]);
  expect(well.exitCode, text(well)).toBe(0);
  const line = well.stdout.split("\n").find((line) => line.startsWith("aa ")) ?? "";
  expect(line.split(/ {2,}/)).toEqual([
    ...["aa", "Busybox 1", "published", ...Array(2).fill(expect.stringMatching(/^\d+ minutes?$/))],
    ...["-", "-", "0", "1", expect.stringMatching(/^\d\.\d MiB$/)],
  ]);
  // A tree that says which tree it is, to a terminal, and a run that fails.
  await writeFile(join(host.root, "bb/etc/os-release"), 'PRETTY_NAME="\x1b[2Jevil"\n');
  await writeFile(join(host.directory, "bb.yml"), playbook("bb", "- raw: echo no luck >&2; false"));
  expect((await host.run(["site.yml", "--limit", "bb"])).exitCode).toBe(2);
  const failed = await host.run(["nspawn.runner.status", "-e", "nspawn_runner_status_format=json"]);
  expect(failed.exitCode).toBe(2);
  const { images, problems } = JSON.parse(failed.stdout.split("\n").find((line) => line.startsWith("{")) ?? "");
  expect(problems).toBe(1);
  expect(images.bb).toMatchObject({
    ...{ system: "\\x1b[2Jevil", result: "failed", failed_runs: 1, used_by: [] },
    problem: expect.stringContaining("failed: no luck (exit status 1)"),
  });
  expect(images.aa).toMatchObject({ result: "published", problem: null, size: state(host).published.size });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The collection's state.json, checked against the schema.

import { readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import type { ImageState } from "../../src/model/image-state.ts";
import { smallArchive } from "../support/create-host.ts";
import { playbook, runnerHost } from "../support/runner-host.ts";

const schema = JSON.parse(readFileSync("generated/schema/state.schema.json", "utf8"));
const validate = new Ajv({ strict: true, strictRequired: false, allErrors: true }).compile(schema);

test("state.json matches the schema after each step of an image's life", async () => {
  const host = await runnerHost({}, []);
  const vars = `nspawn_runner_tarball: ${await smallArchive(host.directory)}, nspawn_runner_packages: [git], nspawn_runner_state_group: adm`;
  const adm = Number(/^adm:[^:]*:(\d+):/m.exec(readFileSync("/etc/group", "utf8"))?.[1]);
  const status = (version: string) =>
    `Package: git\\nStatus: install ok installed\\nArchitecture: all\\nVersion: ${version}\\n`;
  const install = (version: string) =>
    `- raw: ${JSON.stringify(`mkdir -p /var/lib/dpkg && printf '${status(version)}' >/var/lib/dpkg/status`)}`;
  const after = async (args: readonly string[], tasks?: string): Promise<ImageState> => {
    if (tasks !== undefined) await writeFile(join(host.directory, "aa.yml"), playbook("aa", tasks, vars));
    const { stdout } = await host.run(args);
    expect(stdout).toContain("PLAY RECAP");
    const state = JSON.parse(readFileSync(host.state("aa", "state.json"), "utf8"));
    validate(state);
    expect(validate.errors).toBeNull();
    // The copy for the group follows each change.
    const copy = `${host.root}-state/aa.json`;
    expect(JSON.parse(readFileSync(copy, "utf8"))).toEqual(state);
    expect([statSync(copy).mode & 0o777, statSync(copy).gid, statSync(host.root).mode & 0o077]).toEqual([
      0o640,
      adm,
      0,
    ]);
    return state;
  };

  const created = await after(["site.yml"], install("1"));
  expect(created.last_run?.result).toBe("published");
  expect(created.published?.creation).toMatchObject({ packages: ["git"] });

  const upgraded = await after(["site.yml"], install("2"));
  expect(upgraded.published?.packages).toEqual([{ name: "git", from: "1", to: "2" }]);
  expect(upgraded.last_run?.packages).toEqual([{ name: "git", from: "1", to: "2" }]);
  expect(upgraded.generations.map(({ id }) => id)).toEqual([created.published?.id]);

  const failed = await after(["site.yml"], "- raw: 'false'");
  expect(failed.last_run).toMatchObject({ result: "failed", failed_runs: 1 });
  const again = await after(["site.yml"]);
  expect(again.last_run).toMatchObject({ failed_runs: 2, since: failed.last_run?.started });
  const unchanged = await after(["site.yml"], "- raw: 'true'");
  expect(unchanged.last_run).toMatchObject({ result: "unchanged", tasks_changed: 1 });

  const back = await after(["nspawn.runner.rollback", "--limit", "aa"]);
  expect(back.hold?.generation).toBe(created.published?.id);
  const held = await after(["site.yml"]);
  expect(held.published).toEqual(back.published);
  expect(held.last_run?.result).toBe("held");
  const late = await after(["site.yml", "-e", "nspawn_runner_hold_days=0"]);
  expect(late.last_run).toMatchObject({ result: "failed", failed_runs: 1 });
  expect((await after(["nspawn.runner.release", "--limit", "aa"])).hold).toBeUndefined();
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lab itself. The tests that run on a lab are in test/lab.

import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { cli } from "../support/cli.ts";
import { processes } from "../support/process.ts";
import { files, scratch } from "../support/scratch.ts";

const bound = scratch("file");
let lab: Lab;

beforeAll(async () => {
  await files(bound, { file: "of this machine" });
  lab = await startLab({ binds: [`${bound}:/bound`] });
});
afterAll(() => lab?.stop());

const sh = (script: string) => lab.run(["sh", "-c", script]);

test("the lab has systemd as PID 1, no failed unit, machined and Ansible", async () => {
  expect(lab.failedUnits).toEqual([]);
  const { exitCode, stdout } = await sh(
    "cat /proc/1/comm; machinectl --version >/dev/null && ansible --version | head -1",
  );
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^systemd\nansible \[core 2\.19\./);
});

test.each([
  ["exit 0", 0],
  ["exit 7", 7],
  ["kill -KILL $$", 137],
])("the exit status of %j in the lab is %i", async (script, status) => {
  expect((await sh(script)).exitCode).toBe(status);
});

test("a bound file is the same on both sides", async () => {
  expect((await sh("cat /bound/file && echo of the lab >/bound/file")).stdout).toBe("of this machine");
  expect(await readFile(join(bound, "file"), "utf8")).toBe("of the lab\n");
});

test("an archive that cannot be reached gives one line", async () => {
  const unreachable = {
    XDG_CACHE_HOME: scratch(),
    http_proxy: "http://127.0.0.1:9",
    https_proxy: "http://127.0.0.1:9",
  };
  const { exitCode, stdout, stderr } = await cli(process.cwd(), ["lab", "run", "--suite", "sid", "true"], unreachable);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr).toMatch(/^mmdebstrap sid: the tree of Debian sid cannot be made: E: .*127\.0\.0\.1.*$/);
});

test("a program in the lab gets the given input and environment alone", async () => {
  const { stdout } = await lab.run(["sh", "-c", 'cat; echo "$A $HOME"'], { input: "in\n", env: { A: "x" } });
  expect(stdout).toBe("in\nx /root");
});

test("a stopped lab leaves no process, mount, control group, loop device or file", async () => {
  const other = await startLab();
  const mine = readdirSync("/var/tmp").filter((name) => name.startsWith(`nspawn-runner-lab-${process.pid}-`));
  expect(mine).toHaveLength(2);
  const marker = `sleep 36${process.pid}`;
  const script = `truncate -s 10M /var/tmp/disk && losetup --find --show /var/tmp/disk; ${marker} >/dev/null 2>&1 &`;
  const device = (await other.run(["sh", "-c", script])).stdout;
  // Other tests attach and detach loop devices at the same time.
  const attached = async () => (await execa("losetup", ["--noheadings", device], { reject: false })).stdout;
  expect(await attached()).toContain("/disk");
  await other.stop();
  expect(await attached()).not.toContain("/disk");
  expect(processes(new RegExp(`^${marker}$`))).toEqual([]);
  const left = mine.filter((name) => ["/var/tmp", "/sys/fs/cgroup/unified"].some((at) => existsSync(join(at, name))));
  expect(left).toHaveLength(1);
});

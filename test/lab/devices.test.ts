// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where systemd is PID 1, a session's unit gives the tree no access to devices of the host.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { containers, sessions } from "../support/connection-host.ts";
import { until } from "../support/process.ts";
import { files, scratch } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

const directory = scratch("file");
const tree = join(directory, "img");

beforeAll(async () => {
  await debianTree(tree);
  await files(directory, {
    "hosts.yml": JSON.stringify({
      all: {
        hosts: {
          img: { ansible_host: tree, ansible_connection: "nspawn.runner.nspawn", ansible_nspawn_idle_time: 60 },
        },
      },
    }),
  });
});

// The session would keep the tree for longer than the tests last.
afterAll(async () => {
  for (const { pid } of sessions(tree)) process.kill(pid, "SIGTERM");
  await until(() => sessions(tree).length === 0);
});

const raw = async (command: string) => {
  const { exitCode, stdout } = await ansible("ansible", ["-i", "hosts.yml", "img", "-m", "raw", "-a", command], {
    cwd: directory,
  });
  return { exitCode, stdout };
};

/** A loop device over a file with the text "host". */
async function loopDevice(): Promise<string> {
  await files(directory, { disk: Buffer.concat([Buffer.from("host"), Buffer.alloc(65536)]) });
  const { stdout: device } = await execa("losetup", ["--find", "--show", join(directory, "disk")]);
  onTestFinished(async () => void (await execa("losetup", ["--detach", device])));
  return device;
}

test("a block device with a node of mode 0666 in the tree can neither be read nor written", async () => {
  const device = await loopDevice();
  const { stdout: numbers } = await execa("stat", ["--format=%Hr %Lr", device]);
  const node = join(tree, "root/disk");
  await execa("mknod", ["--mode=0666", node, "b", ...numbers.split(" ")]);
  expect((await execa("head", ["--bytes=4", node])).stdout).toBe("host");
  expect((await raw("head --bytes=4 /root/disk")).stdout).toContain("Operation not permitted");
  expect((await raw("echo tree >/root/disk")).stdout).toContain("Operation not permitted");
  expect((await raw("mknod /root/other b 7 0")).stdout).toContain("Operation not permitted");
  expect((await execa("head", ["--bytes=4", device])).stdout).toBe("host");
});

test("the unit has DevicePolicy=closed, and the harmless devices work", async () => {
  const { exitCode, stdout } = await raw(
    "head --bytes=3 /dev/zero | wc --bytes && echo lost >/dev/null && script --quiet --command tty /dev/null",
  );
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^3\s+\/dev\/pts\/\d+\s*$/m) });
  const [nspawn] = containers(tree);
  const unit = /^0::.*\/([^/]+\.scope)/m.exec(await readFile(`/proc/${nspawn?.pid}/cgroup`, "utf8"))?.[1];
  const { stdout: properties } = await execa("systemctl", [
    "show",
    "--property=DevicePolicy,ActiveState",
    unit ?? "none",
  ]);
  expect(properties.split("\n").sort()).toEqual(["ActiveState=active", "DevicePolicy=closed"]);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where systemd is PID 1, a session's scope gives the container no access to devices of the host, also without a user namespace, and limits.

import { existsSync } from "node:fs";
import { chmod, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
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

/** Reads and writes a block device by a node in a new devtmpfs, where a container has no user namespace. */
const devtmpfs = (device: string) =>
  `mkdir /run/d; mount -t devtmpfs d /run/d; head --bytes=4 /run/d/${basename(device)}; echo tree >/run/d/${basename(device)}; mknod /root/b b 7 0`;
const refused = expect.stringMatching(/(Operation not permitted.*){3}/s);

test("a block device with a node of mode 0666 in the tree can neither be read nor written", async () => {
  const device = await loopDevice();
  const { stdout: numbers } = await execa("stat", ["--format=%Hr %Lr", device]);
  const node = join(tree, "root/disk");
  await execa("mknod", ["--mode=0666", node, "b", ...numbers.split(" ")]);
  expect((await execa("head", ["--bytes=4", node])).stdout).toBe("host");
  expect((await raw("head --bytes=4 /root/disk")).stdout).toContain("Permission denied");
  expect((await raw("echo tree >/root/disk")).stdout).toContain("Permission denied");
  expect((await execa("head", ["--bytes=4", device])).stdout).toBe("host");
});

test("in a maintenance, without a user namespace, the container has the device policy and the limits", async () => {
  const device = await loopDevice();
  const root = scratch();
  const published = await debianTree(join(root, "img"));
  const { mode } = await stat(published);
  const task = (script: string) => ({ name: "Try", "ansible.builtin.raw": script, ignore_errors: true });
  const vars = { nspawn_runner_user_namespace: false };
  const wait = "touch /root/up; until [ -e /root/go ]; do sleep 0.1; done";
  await files(directory, {
    "nspawn_runner.yml": JSON.stringify({
      plugin: "nspawn.runner.chroots",
      root,
      connection: "nspawn.runner.nspawn",
      playbook_dirs: [directory],
    }),
    "site.yml": "- import_playbook: nspawn.runner.maintenance\n",
    "img.yml": JSON.stringify([
      { name: "Image", hosts: "img", gather_facts: false, vars, tasks: [task(devtmpfs(device)), task(wait)] },
    ]),
  });
  const staged = join(root, ".nspawn-runner/img/staged");
  const run = ansible("ansible-playbook", ["-i", "nspawn_runner.yml", "site.yml"], { cwd: directory });
  await until(() => existsSync(join(staged, "root/up")));
  const show = ["show", "--property=DevicePolicy,MemoryMax,TasksMax,Slice,Delegate", "nspawn-runner-*.scope"];
  const { stdout } = await execa("systemctl", show);
  await files(staged, { "root/go": "" });
  await chmod(staged, mode);
  expect((await run).exitCode).toBe(0);
  expect(Object.fromEntries(stdout.split("\n").map((line) => line.split("=")))).toEqual({
    DevicePolicy: "closed",
    MemoryMax: expect.stringMatching(/^\d+$/),
    TasksMax: "16384",
    Slice: "nspawn-runner.slice",
    Delegate: "yes",
  });
  expect(await readFile(join(root, ".nspawn-runner/img/last.log"), "utf8")).toEqual(refused);
  expect((await execa("head", ["--bytes=4", device])).stdout).toBe("host");
});

test("the scope has DevicePolicy=closed, and the harmless devices work", async () => {
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

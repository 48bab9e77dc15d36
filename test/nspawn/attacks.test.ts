// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Attacks on the host by root in a container, each in a session and in a container of the wrapper, on a published and on a staged tree.

import { statSync } from "node:fs";
import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ansible, collectionPath } from "../support/ansible.ts";
import { attack, hostNull, refused, results } from "../support/attacks.ts";
import { sessions } from "../support/connection-host.ts";
import { until } from "../support/process.ts";
import { files, scratch } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

const exe = join(collectionPath(), "playbooks/files/nspawn-chroot");
const root = scratch("file");
const state = join(root, ".nspawn-runner/img");
const trees = { published: join(root, "img"), staged: join(state, "staged") } as const;
beforeAll(async () => {
  await mkdir(state, { recursive: true, mode: 0o700 });
  for (const tree of Object.values(trees)) {
    await debianTree(tree);
    await copyFile(join(import.meta.dirname, "../support/attack.py"), join(tree, "root/attack.py"));
    await execa("mknod", ["--mode=0666", join(tree, "root/zero"), "c", "1", "5"]);
  }
  const host = (tree: string) => ({ ansible_host: tree, ansible_nspawn_idle_time: 1 });
  const hosts = { published: host(trees.published), staged: host(trees.staged) };
  await files(root, {
    "hosts.yml": JSON.stringify({ all: { vars: { ansible_connection: "nspawn.runner.nspawn" }, hosts } }),
  });
});
const idle = () => until(() => Object.values(trees).every((tree) => sessions(tree).length === 0));
afterAll(idle);

test.each(["published", "staged"] as const)("a session on a %s tree refuses each attack", async (kind) => {
  const before = hostNull();
  const { stdout, stderr } = await ansible("ansible", ["-i", "hosts.yml", kind, "-m", "raw", "-a", attack], {
    cwd: root,
  });
  expect(results(stdout + stderr)).toEqual(refused);
  expect(hostNull()).toEqual(before);
});

test.each(["published", "staged"] as const)("the wrapper refuses each attack on a %s tree", async (kind) => {
  await idle();
  const before = hostNull();
  const { stdout, stderr } = await execa(exe, [trees[kind], ...attack.split(" ")], { stdin: "ignore", reject: false });
  expect(results(stdout + stderr)).toEqual(refused);
  expect(hostNull()).toEqual(before);
});

test("without a user namespace, no descriptor leads to a file of the host", async () => {
  await idle();
  await files(state, { container: "--private-users=no\n" });
  onTestFinished(() => rm(join(state, "container")));
  const wrapper = await execa(exe, [trees.published, ...attack.split(" ")], { stdin: "ignore" });
  const session = await ansible("ansible", ["-i", "hosts.yml", "published", "-m", "raw", "-a", attack], { cwd: root });
  for (const { stdout } of [wrapper, session])
    expect(results(stdout)).toMatchObject({ "reach the host by a descriptor": "EPERM", "make a device node": "EPERM" });
  await idle();
});

test("the wrapper on a terminal gives the container no terminal", async () => {
  // script(1) runs the command on a terminal of its own.
  const command = `${exe} ${trees.published} sh -c '${attack}; for of in 0 1 2; do [ -t $of ] && echo terminal $of; done; exit 3'`;
  const { stdout, exitCode } = await execa("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    input: "",
    reject: false,
  });
  expect(results(stdout)).toEqual(refused);
  expect([exitCode, stdout]).toEqual([3, expect.not.stringContaining("terminal 0")]);
});

test("a file that is an output of the wrapper cannot be opened again from inside", async () => {
  const { out, err } = { out: join(root, "out"), err: join(root, "err") };
  const script = "chmod 777 /proc/self/fd/1 2>/dev/null; echo out; echo err >/dev/stderr; echo more >/dev/stdout";
  await execa("sh", ["-c", `"$0" "$1" sh -c "$2" </dev/null >"$3" 2>"$4"`, exe, trees.published, script, out, err]);
  expect([await readFile(out, "utf8"), await readFile(err, "utf8")]).toEqual(["out\nmore\n", "err\n"]);
  expect(statSync(out).mode & 0o777).toBe(0o644);
});

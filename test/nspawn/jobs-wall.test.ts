// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Attacks of a job with the rights of root, which are refused: on the host, on the image, on other jobs, and on its own limits.

import { existsSync, readdirSync, statSync } from "node:fs";
import { chmod, copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { attack, hostNull, refused, results } from "../support/attacks.ts";
import type { Job } from "../support/gitlab-runner.ts";
import { type JobHost, jobHost, left } from "../support/job-host.ts";
import { fingerprint } from "../support/listing.ts";
import { until } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

const directory = scratch("file");
let host: JobHost;
beforeAll(async () => {
  const attacked = async (tree: string) => {
    await debianTree(tree);
    await copyFile(join(import.meta.dirname, "../support/attack.py"), join(tree, "root/attack.py"));
    await execa("mknod", ["--mode=0666", join(tree, "root/zero"), "c", "1", "5"]);
  };
  host = await jobHost(directory, { debian: attacked });
});
afterAll(() => until(() => left(host).length === 0).catch(() => expect(left(host)).toEqual([])));

const run = (script: string, job: Partial<Job> = {}) => host.run({ image: "debian", script: [script], ...job });

/** Settings for the jobs of one test. */
async function settings(settings: object, image = "debian"): Promise<void> {
  await host.settings(image, settings);
  onTestFinished(() => rm(join(host.root, ".nspawn-runner", image, "job.json")));
}

test("each attack is refused, and the published tree stays as it is", async () => {
  const before = { tree: fingerprint(host.tree("debian")), null: hostNull() };
  const result = await run(`${attack}; printf x | tee -a /etc/passwd /usr/bin/git /root/new >/dev/null`);
  expect(result).toMatchObject({ status: "success" });
  expect(results(result.log)).toEqual(refused);
  expect({ tree: fingerprint(host.tree("debian")), null: hostNull() }).toEqual(before);
});

test.each([
  ["removes all that it can", "rm -rf --no-preserve-root / 2>/dev/null; exit 0"],
  ["signals everything", "kill -9 -1; sleep 1; kill -9 1; sleep 1; echo alive"],
  ["mounts", "for i in 1 2 3; do mount -t tmpfs none /mnt; mount --bind / /mnt; done; mount --make-rshared /; exit 4"],
])("a job that %s ends, and the next job is well", async (_, script) => {
  const before = fingerprint(host.tree("debian"));
  const { status } = await run(script, { timeout: 60 });
  expect(["success", "failed"]).toContain(status);
  expect(fingerprint(host.tree("debian"))).toBe(before);
  expect(await run("echo well")).toMatchObject({ status: "success" });
});

describe("a full disk is an error of the job's own command, and the log names the limit", () => {
  test.each([
    ["of an image's disk", { storage: "overlay", disk: "64M" }, "head -c 100M /dev/zero >/var/tmp/big"],
    ["in memory", { storage: "tmpfs", disk: "64M" }, "head -c 100M /dev/zero >/var/tmp/big"],
    [
      "of files",
      { storage: "overlay", disk: "64M" },
      "mkdir /many; cd /many; seq 20000 | xargs touch 2>&1 | tail -n 1; exit 1",
    ],
  ])("%s", async (_, limits, script) => {
    await settings(limits);
    const result = await run(script);
    expect(result).toMatchObject({ status: "failed", failure: "script_failure" });
    expect(result.log).toContain("No space left on device\n");
    expect(result.log).toMatch(/^nspawn-runner: .*(?:\b64M\b|no inodes left)/m);
  });
});

describe("the cache", () => {
  const store =
    "mkdir -p /cache/group; echo of-debian >/cache/group/secret; cp /bin/true /cache/setuid; chmod 6777 /cache/setuid";

  test("is one of its own for each project, and no user of the host comes to it", async () => {
    expect(await run(store)).toMatchObject({ status: "success" });
    expect(await run("cat /cache/group/secret")).toMatchObject({ log: expect.stringMatching(/^of-debian$/m) });
    expect(await run("! test -e /cache/group", { projectId: 8 })).toMatchObject({ status: "success" });
    const { stdout } = await execa("find", [join(host.root, ".nspawn-runner/.cache"), "-name", "setuid"]);
    expect(stdout).not.toBe("");
    // Each path to it leads through a directory that only root can enter.
    const read = await execa("setpriv", ["--reuid=65534", "--clear-groups", "stat", stdout], { reject: false });
    expect(read.stderr).toContain("Permission denied");
  });

  test("loses its oldest entries above its size, and a link there leads to no file of the host", async () => {
    await settings({ cache: "1M" });
    const victim = join(host.directory, "victim");
    await mkdir(victim);
    await writeFile(join(victim, "file"), "of the host");
    const many = "for i in 1 2 3; do head -c 1000000 /dev/urandom >/cache/$i; touch -d 2001-01-0$i /cache/$i; done";
    expect(
      await run(`ln -s ${victim} /cache/link; mkdir /cache/deep; ln -s ${victim} /cache/deep/link; ${many}`),
    ).toMatchObject({ status: "success" });
    expect(await run("! test -e /cache/1; test -e /cache/3")).toMatchObject({ status: "success" });
    expect(readdirSync(victim)).toEqual(["file"]);
  });

  test("takes no device node", async () => {
    expect(await run("mknod /cache/null c 1 3 || exit 7")).toMatchObject({ exitCode: 7 });
  });
});

test("without the host's network, a job reaches no socket of the host", async () => {
  const path = `\0nspawn-runner-test-${process.pid}`;
  const [abstract, tcp] = [createServer(), createServer()];
  onTestFinished(() => {
    for (const server of [abstract, tcp]) server.close();
  });
  await new Promise<void>((done) => abstract.listen(path, done));
  await new Promise<void>((done) => tcp.listen(0, "127.0.0.1", done));
  const { port } = tcp.address() as AddressInfo;
  const ask = [
    "import socket",
    `for family, address in ((socket.AF_UNIX, "\\0${path.slice(1)}"), (socket.AF_INET, ("127.0.0.1", ${port}))):`,
    "    print(family.name, socket.socket(family).connect_ex(address))",
  ].join("\n");
  const script = `python3 -c '${ask}'`;
  // So the sockets are there to be reached.
  expect((await run(script)).log).toMatch(/AF_INET 0\n/);
  await settings({ network: "none" });
  expect((await run(script)).log).toMatch(/AF_UNIX 111\nAF_INET 111\n/);
});

describe.concurrent("a hostile image", () => {
  const hostile = (content: string) => async (tree: string, path: string) => {
    await rm(join(tree, path), { force: true });
    await writeFile(join(tree, path), content);
    await chmod(join(tree, path), 0o755);
  };
  const link = (target: string) => async (tree: string, path: string) => {
    await rm(join(tree, path), { force: true });
    await symlink(target, join(tree, path));
  };
  test.each<[string, string, (tree: string, path: string) => Promise<void>]>([
    ["a Python that says nothing", "usr/bin/python3", hostile("#!/bin/sh\nsleep 10000\n")],
    ["a Python that ends", "usr/bin/python3", hostile("#!/bin/sh\nexit 0\n")],
    ["a Python that says that it is ready", "usr/bin/python3", hostile("#!/bin/sh\nprintf 'ready\\n'; sleep 10000\n")],
    ["a Python that says too much", "usr/bin/python3", hostile("#!/bin/sh\nexec cat /dev/zero\n")],
    ["a shell that says too much to each question", "usr/bin/bash", hostile("#!/bin/sh\nexec yes\n")],
    ["a huge passwd", "etc/passwd", hostile("x:x:1:1::/:/bin/sh\n".repeat(2 << 20))],
    ["a passwd that leads out", "etc/passwd", link("../../../../../../../etc/shadow")],
    ["a device of the host as a shell", "usr/bin/bash", link("/dev/zero")],
    ["control characters in its name", "etc/os-release", hostile('PRETTY_NAME="\x1b[2Jevil\n\u2028x"\n')],
  ])("%s: the job ends with its own result or a sentence", async (name, path, spoil) => {
    const image = name.replaceAll(" ", "-").toLowerCase();
    const tree = await busyboxTree(host.tree(image));
    await spoil(tree, path);
    const options = { seconds: { retry: 0, prepare: 100 }, environment: {} };
    const result = await host.run({ image, script: ["exit 7"], timeout: 20 }, "19.4", options);
    expect(result.status).toBe("failed");
    expect(result.log).not.toContain("Traceback");
    expect(result.log).not.toContain("\x1b[2J");
  });
});

test("the directories of jobs are root's alone", () => {
  for (const path of ["/run/nspawn-runner", join(host.root, ".nspawn-runner")])
    if (existsSync(path)) expect(statSync(path).mode & 0o777).toBe(0o700);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Generation, ImageHost } from "../support/image-host.ts";
import { loopFileSystem } from "../support/loop.ts";
import { running, sleeper } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";

const publish = (host: ImageHost, before = "") =>
  host.call<Generation>("publish.publish(p, {'tasks_changed': 1})", before);

test("a published tree and its record", async () => {
  const host = new ImageHost(scratch());
  mkdirSync(host.tree);
  writeFileSync(join(host.tree, "v"), "by hand");
  host.stage("new");
  const { value } = await publish(host);
  const state = host.load();
  expect(state).toEqual({ format: 1, image: "img", published: value, generations: [expect.anything()] });
  expect(value).toEqual({
    id: expect.stringMatching(/^\d{8}T\d{6}Z$/),
    published: expect.stringMatching(/^\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z$/),
    tasks_changed: 1,
  });
  expect(state.generations[0]).toEqual({ id: expect.any(String), retired: value?.published, mounts: [] });
  expect((state.generations[0]?.id as string) < (value?.id as string)).toBe(true);
  expect(host.contents()).toEqual(["new", "by hand"]);
  expect(readdirSync(host.state).sort()).toEqual(["generations", "lock", "state.json"]);
});

test("immutable and append-only root directories are replaced too", async () => {
  const host = new ImageHost(scratch());
  await host.publish("old");
  host.stage("new");
  await execa("chattr", ["+i", host.tree]);
  await execa("chattr", ["+a", join(host.state, "staged")]);
  expect((await publish(host)).error).toBeUndefined();
  expect(host.contents()).toEqual(["new", "old"]);
});

test("a staged tree that is in use is not published", async () => {
  const host = new ImageHost(scratch());
  host.stage("new");
  const { end } = await running(sleeper, join(host.state, "staged"));
  expect((await publish(host)).error).toMatch(/staged is in use by process \d+ \(\w+\): wait until it ends$/);
  expect(existsSync(host.tree)).toBe(false);
  await end();
  expect((await publish(host)).error).toBeUndefined();
});

describe("a file system that refuses", () => {
  test("because the disk is full", async () => {
    const host = new ImageHost(await loopFileSystem("ext4", 16));
    await host.publish("old");
    host.stage("new");
    const fill = join(host.root, "fill");
    // Fills the inodes: ext4 reserves some blocks for root.
    await execa("/bin/sh", ["-c", `mkdir ${fill} && cd ${fill} && while : >$((n += 1)); do :; done`], {
      reject: false,
    });
    expect((await publish(host)).error).toMatch(/No space left on device: free some space there$/);
    expect(host.contents()).toEqual(["old"]);
    await execa("rm", ["-r", fill]);
    expect((await publish(host)).error).toBeUndefined();
    expect(host.contents()).toEqual(["new", "old"]);
  });

  test("because of a read-only mount", async () => {
    const mount = await loopFileSystem("ext4", 16);
    const host = new ImageHost(mount);
    await host.publish("old");
    host.stage("new");
    await execa("mount", ["-o", "remount,ro", mount]);
    // The lock would need a write, so the lock is marked as held.
    const { error } = await publish(host, "lock._held.add((p.state + '/lock', os.getpid()))");
    expect(error).toMatch(/Read-only file system: remount the file system read-write$/);
    await execa("mount", ["-o", "remount,rw", mount]);
    expect(host.contents()).toEqual(["old"]);
    expect((await publish(host)).error).toBeUndefined();
  });

  test("because the root directory is immutable", async () => {
    const host = new ImageHost(scratch());
    await host.publish("old");
    host.stage("new");
    await execa("chattr", ["+i", host.root]);
    onTestFinished(async () => {
      await execa("chattr", ["-i", host.root]);
    });
    expect((await publish(host)).error).toBe(
      `${host.state}/staged cannot be renamed to ${host.tree}: Operation not permitted`,
    );
    expect(host.contents()).toEqual(["old"]);
    expect(readdirSync(host.state).sort()).toEqual(["generations", "lock", "staged", "state.json"]);
    await execa("chattr", ["-i", host.root]);
    expect((await publish(host)).error).toBeUndefined();
  });

  test("because the tree is a mount point", async () => {
    const host = new ImageHost(scratch());
    await host.publish("old");
    host.stage("new");
    await execa("mount", ["--bind", host.tree, host.tree]);
    expect((await publish(host)).error).toMatch(/: Device or resource busy$/);
    await execa("umount", [host.tree]);
    expect(host.contents()).toEqual(["old"]);
  });
});

test("a journal that another version wrote is not touched", async () => {
  const host = new ImageHost(scratch());
  writeFileSync(join(host.state, "publishing.json"), '{"format": 2}');
  host.stage("new");
  for (const action of ["publish.recover(p)", "publish.publish(p, {})", "generations.roll_back(p, None)"]) {
    expect((await host.call(action)).error).toBe(
      `${host.state}/publishing.json was not written by this version of nspawn.runner: run the version that was used last`,
    );
  }
  expect(readFileSync(join(host.state, "staged/v"), "utf8")).toBe("new");
});

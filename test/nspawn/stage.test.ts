// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The private copy for a maintenance: complete, quick, and removed without a trace.

import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rename, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeTree, everyKind } from "../support/every-kind.ts";
import { ImageHost, pythonEnvironment } from "../support/image-host.ts";
import { type FileSystem, loopFileSystem } from "../support/loop.ts";
import { container, processesAt, running, sleeper, until } from "../support/process.ts";
import { mountsBeneath, scratch } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

const IMPORT =
  "from ansible_collections.nspawn.runner.plugins.module_utils._image import leftovers, stage; from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath, compare, remove; import threading";
const STAGE = "stage.stage_tree(p, log.append)";

const stage = (host: ImageHost, before = "") => host.call<[string, [number, number]]>(STAGE, `${IMPORT}\n${before}`);
const remove = (host: ImageHost, name: string, parameters = "") =>
  host.call(`remove.remove_tree(os.path.join(p.state, '${name}')${parameters})`, IMPORT);

const KINDS: [FileSystem, string, string, number][] = [
  ["ext4", "directory", "copy", 64],
  ["xfs", "directory", "reflink", 300],
  ["btrfs", "directory", "reflink", 256],
  ["btrfs", "subvolume", "snapshot", 256],
  ["btrfs", "subvolume with another in it", "reflink", 256],
];

describe.each(KINDS)("on %s, a %s", (fileSystem, kind, way, megabytes) => {
  test(`is staged by ${way}, with all that a tree can have`, async () => {
    const host = new ImageHost(await loopFileSystem(fileSystem, megabytes));
    if (kind !== "directory") await execa("btrfs", ["subvolume", "create", host.tree]);
    await everyKind(host.tree);
    if (kind.endsWith("another in it")) {
      await execa("btrfs", ["subvolume", "create", join(host.tree, "machines")]);
      writeFileSync(join(host.tree, "machines/content"), "of the inner subvolume");
    }
    await execa("mount", ["-t", "tmpfs", "tmpfs", join(host.tree, "mnt/inside")]);
    writeFileSync(join(host.tree, "mnt/inside/mounted"), "");
    const { value, error, log } = await stage(host);
    expect(error).toBeUndefined();
    expect(value?.[0]).toBe(way);
    expect(log).toEqual([`${host.tree} was copied by ${way}`]);
    await execa("umount", [join(host.tree, "mnt/inside")]);
    const staged = join(host.state, "staged");
    const whole = await describeTree(host.tree);
    expect(whole.at(-1)).toBe("sparse");
    expect(await describeTree(staged)).toEqual(whole);
    if (fileSystem === "btrfs") expect(lstatSync(staged).ino).toBe(256);
    // The collection's own comparison, made to look at the whole tree, finds no difference either.
    const all = await host.call("compare.difference(p.staged, p.path, compare.Moment(0, 0.0))", IMPORT);
    expect(all).toEqual({ value: null, log: [] });
    expect((await remove(host, "staged", ", wait=False")).error).toBeUndefined();
    expect(readdirSync(host.state)).toEqual(["lock"]);
  });
});

describe("a tree that cannot be staged is refused, and nothing is left", () => {
  let host: ImageHost;
  beforeEach(() => {
    host = new ImageHost(scratch());
  });
  const expectRefused = async (message: string, before = "") => {
    expect((await stage(host, before)).error).toBe(message);
    expect(existsSync(join(host.state, "staged"))).toBe(false);
  };

  test("no tree, and a link in the tree's place", async () => {
    await expectRefused(`${host.tree} cannot be copied: it does not exist: create the image first`);
    await symlink("/etc", host.tree);
    await expectRefused(`${host.tree} cannot be copied: it is not a directory: put a directory in its place`);
  });

  test("a mount point", async () => {
    mkdirSync(host.tree);
    await execa("mount", ["-t", "tmpfs", "tmpfs", host.tree]);
    await expectRefused(
      `${host.tree} is a mount point, and cannot be exchanged for a copy: move the tree into the root directory's own file system`,
    );
  });

  test("another file system than the state directory's", async () => {
    mkdirSync(host.tree);
    await execa("mount", ["-t", "tmpfs", "tmpfs", host.state]);
    await expectRefused(
      `${host.state} is on another file system than ${host.tree}, and trees cannot be renamed from one to the other: put both on one file system`,
    );
  });

  test("beside a staged tree, which stays", async () => {
    mkdirSync(host.tree);
    host.stage("of another run");
    expect((await stage(host)).error).toBe(`${host.state}/staged exists, left by another run: remove it`);
    expect(readFileSync(join(host.state, "staged/v"), "utf8")).toBe("of another run");
  });

  test("a tree to which a container may write; containers that only read do not matter, and live on", async () => {
    await busyboxTree(host.tree);
    const { end } = await running(container(host.tree, ...sleeper));
    await expectRefused(`${host.tree} is in use by a container of systemd-nspawn: wait until it ends`);
    await end();
    const reader = await running(container(host.tree, "--read-only", ...sleeper));
    expect((await stage(host)).value?.[0]).toBe("copy");
    // The reader's lock is unchanged: no container may write.
    const [unshare, ...args] = container(host.tree, "/bin/true");
    const writer = await execa(unshare, args, { reject: false });
    expect(writer.stderr).toContain("busy");
    await reader.end();
    const { exitCode } = await execa(unshare, args);
    expect(exitCode).toBe(0);
  });

  test("on a disk without space or inodes for the copy, before the copy begins", async () => {
    const small = await loopFileSystem("ext4", 64);
    host = new ImageHost(small);
    mkdirSync(host.tree);
    await execa("dd", ["if=/dev/zero", `of=${host.tree}/large`, "bs=1M", "count=30"]);
    const { error } = await stage(host, "stage.make_directory = None");
    const sentence =
      /^\S+\/img cannot be copied: the copy needs (\d+) MiB, and the file system of \S+\/img has (\d+) MiB free: free more space there$/;
    const [needed, free] = (sentence.exec(error ?? "") ?? []).slice(1).map(Number);
    expect(needed).toBe(46);
    expect(free).toBeLessThan(30);

    const few = scratch();
    await execa("mount", ["-t", "tmpfs", "-o", "size=64m,nr_inodes=100", "tmpfs", few]);
    host = new ImageHost(few);
    mkdirSync(host.tree);
    for (let n = 0; n < 60; n++) writeFileSync(join(host.tree, `${n}`), "");
    expect((await stage(host, "stage.make_directory = None")).error).toMatch(
      /the copy needs 61 inodes, and the file system of \S+ has \d\d free: remove files there$/,
    );
  });

  test("on a disk that another process fills meanwhile", async () => {
    host = new ImageHost(await loopFileSystem("ext4", 64));
    mkdirSync(host.tree);
    await execa("dd", ["if=/dev/zero", `of=${host.tree}/large`, "bs=1M", "count=30"]);
    for (let n = 0; n < 20; n++) writeFileSync(join(host.tree, `z${n}`), "x".repeat(9999));
    const { error } = await stage(host, "stage._check_space = lambda *places: None");
    expect(error).toMatch(
      /^\S+ cannot be copied: the file system of \S+ is full, (1|2)\d MiB are free without the copy: free more space there$/,
    );
    expect(readdirSync(host.state)).toEqual(["lock"]);
  });
});

test("a container that ends, and holds the exclusive lock for a moment, is waited for", async () => {
  const host = new ImageHost(scratch());
  mkdirSync(host.tree);
  const before = `${IMPORT}
import contextlib, threading
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use
in_use._PATIENCE = 60
locks = contextlib.ExitStack()
locks.enter_context(in_use._nspawn_lock(in_use.lock_file(os.lstat(p.path)), p.path))
threading.Timer(0.3, locks.close).start()`;
  expect((await host.call<[string]>("stage.stage_tree(p, log.append)", before)).value?.[0]).toBe("copy");
});

test("a copy ends with the run, and the next run removes the incomplete copy", async () => {
  const host = new ImageHost(scratch());
  await debianTree(host.tree);
  const code = `import sys\n${IMPORT}\nfrom ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
stage.stage_tree(Place(sys.argv[1], 'img'), print)`;
  const run = execa("/usr/bin/python3", ["-c", code, host.root], { env: pythonEnvironment(), cwd: "/", reject: false });
  await until(() => existsSync(join(host.state, "staged/etc")));
  run.kill("SIGKILL");
  await run;
  await until(() => processesAt(host.state).length === 0);
  await host.call("leftovers.remove_leftovers(p.state)", IMPORT);
  expect(readdirSync(host.state)).toEqual(["lock"]);
  expect((await stage(host)).value?.[0]).toBe("copy");
});

describe("removal", () => {
  let host: ImageHost;
  const trash = () => join(host.state, "trash-1");
  const make = (directory: string) => {
    host = new ImageHost(directory);
  };
  afterEach(async () => {
    if (existsSync(trash())) await execa("chattr", ["-R", "-f", "-i", "-a", trash()], { reject: false });
  });

  test("of immutable files, and of no file that a link leads to", async () => {
    make(scratch());
    await everyKind(trash());
    const kept = join(dirname(host.root), "kept");
    await mkdir(kept);
    writeFileSync(join(kept, "file"), "");
    await execa("chattr", ["+i", join(kept, "file")]);
    await symlink(kept, join(trash(), "way"));
    await symlink(join(kept, "file"), join(trash(), "etc/way"));
    const deep =
      'cd "$1" && cd -P d*/ && for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do cd -P d*/; done && chattr +i f .';
    await execa("/bin/bash", ["-c", deep, "sh", trash()]);
    await execa("chattr", ["+a", join(trash(), "var/log")]);
    await execa("chattr", ["+i", join(trash(), "etc/file"), join(trash(), "odd"), trash()]);
    expect((await remove(host, "trash-1")).error).toBeUndefined();
    expect(existsSync(trash())).toBe(false);
    expect((await execa("lsattr", [join(kept, "file")])).stdout).toMatch(/^\S*i/);
  });

  test("of subvolumes in each other, read-only and immutable", async () => {
    make(await loopFileSystem("btrfs", 256));
    for (const name of ["", "/a", "/a/b", "/a/b/c"]) {
      await execa("btrfs", ["subvolume", "create", `${trash()}${name}`]);
      writeFileSync(`${trash()}${name}/file`, "");
    }
    await execa("chattr", ["+i", `${trash()}/a/b`, `${trash()}/a/file`]);
    for (const name of ["/a/b/c", "/a/b", "/a", ""]) {
      await execa("btrfs", ["property", "set", "-t", "subvol", `${trash()}${name}`, "ro", "true"]);
    }
    expect((await remove(host, "trash-1")).error).toBeUndefined();
    expect((await execa("btrfs", ["subvolume", "list", host.root])).stdout).toBe("");
  });

  test("is refused while another directory of the same file system is mounted in the tree", async () => {
    make(scratch());
    const kept = join(dirname(host.root), "kept");
    await mkdir(kept);
    writeFileSync(join(kept, "file"), "");
    mkdirSync(join(trash(), "srv"), { recursive: true });
    await execa("mount", ["--bind", kept, join(trash(), "srv")]);
    expect((await remove(host, "trash-1")).error).toBe(`${trash()} has mounts beneath it: run umount ${trash()}/srv`);
    expect(readdirSync(kept)).toEqual(["file"]);
    await execa("umount", [join(trash(), "srv")]);
    expect(mountsBeneath(trash())).toEqual([]);
    expect((await remove(host, "trash-1")).error).toBeUndefined();
  });

  test("of leftovers removes only unneeded entries, and none while a swap is incomplete", async () => {
    make(scratch());
    for (const name of ["staged", "trash-1", "generations/1", "failed"]) {
      mkdirSync(join(host.state, name), { recursive: true });
    }
    writeFileSync(join(host.state, "publishing.json"), "{}");
    await host.call("leftovers.remove_leftovers(p.state)", IMPORT);
    const all = ["failed", "generations", "lock", "publishing.json", "staged", "trash-1"];
    expect(readdirSync(host.state).sort()).toEqual(all);
    await rename(join(host.state, "publishing.json"), join(host.state, "done"));
    await host.call("leftovers.remove_leftovers(p.state)", IMPORT);
    expect(readdirSync(host.state).sort()).toEqual(["done", "failed", "generations", "lock"]);
    expect(readdirSync(join(host.state, "generations"))).toEqual(["1"]);
  });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { asNobody } from "../support/ansible.ts";
import { chroot, smallArchive, startCreation, stateOf } from "../support/create-host.ts";
import { loopFileSystem } from "../support/loop.ts";
import { container, processesAt, running, sleeper, until } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

const directory = scratch("file");
const root = join(directory, "root");
const tree = join(root, "used");
let archive: string;

beforeAll(async () => {
  archive = await smallArchive(directory);
  expect((await chroot({ name: "used", root, tarball: archive })).exitCode).toBe(0);
});

/** Removal and recreation are both refused, and the tree stays. */
async function expectRefused(message: RegExp): Promise<void> {
  const inode = statSync(tree).ino;
  const removed = await chroot({ name: "used", root, state: "absent" });
  const anew = await chroot({ name: "used", root, tarball: archive, recreate: true });
  expect(removed.msg).toMatch(message);
  expect(anew.msg).toMatch(message);
  expect([removed.exitCode, anew.exitCode]).toEqual([2, 2]);
  expect(statSync(tree).ino).toBe(inode);
  expect(existsSync(join(tree, "usr/bin/busybox"))).toBe(true);
}

describe("a tree in use is neither removed nor recreated", () => {
  test.each([
    ["alone", []],
    ["with others", ["--read-only"]],
  ])("by a container that locks the tree %s", async (_how, flags) => {
    await running(container(tree, ...flags, ...sleeper));
    await expectRefused(/^\S+\/used is in use by a container of systemd-nspawn: wait until it ends$/);
  });

  test("by a process in the tree", async () => {
    await mkdir(join(tree, "srv"), { recursive: true });
    const { pid } = await running(sleeper, join(tree, "srv"));
    await expectRefused(new RegExp(`^${tree} is in use by process ${pid} \\(sleep\\)`));
  });

  test("by an overlay of another mount namespace", async () => {
    for (const name of ["upper", "work", "merged"]) await mkdir(join(directory, name));
    const options = `lowerdir=${tree},upperdir=${directory}/upper,workdir=${directory}/work`;
    const script = `mount -t overlay overlay -o ${options} ${directory}/merged && echo up && exec sleep 600`;
    const { pid } = await running(["unshare", "--mount", "/bin/sh", "-c", script]);
    await expectRefused(new RegExp(`^${tree} is in use by the mount ${directory}/merged that process ${pid} sees`));
  });

  test("by a mount beneath the tree", async () => {
    await mkdir(join(tree, "mnt"), { recursive: true });
    await execa("mount", ["-t", "tmpfs", "tmpfs", join(tree, "mnt")]);
    onTestFinished(async () => {
      await execa("umount", [join(tree, "mnt")]);
    });
    await expectRefused(new RegExp(`^${tree} has mounts beneath it: run umount ${tree}/mnt$`));
  });
});

test("a link in a tree's place, or a file, is refused", async () => {
  const outside = join(directory, "outside");
  await busyboxTree(outside);
  await symlink(outside, join(root, "link"));
  await execa("touch", [join(root, "file")]);
  for (const state of ["absent", "present"]) {
    expect((await chroot({ name: "link", root, state, tarball: archive })).msg).toBe(
      `${root}/link is a symbolic link, and a tree is a directory: remove the link`,
    );
  }
  expect((await chroot({ name: "file", root, state: "absent" })).msg).toMatch(/^\S+\/file is not a directory: /);
  expect(existsSync(join(outside, "usr/bin/busybox"))).toBe(true);
});

test("links in a tree are removed, not followed", async () => {
  const kept = join(directory, "kept");
  await mkdir(kept);
  await execa("touch", [join(kept, "file")]);
  await busyboxTree(join(root, "links"));
  await symlink(kept, join(root, "links/way"));
  expect((await chroot({ name: "links", root, state: "absent" })).exitCode).toBe(0);
  expect(readdirSync(kept)).toEqual(["file"]);
});

test("a bad name, and bad root directories", async () => {
  expect((await chroot({ name: "../used", root, state: "absent" })).msg).toContain("cannot be an image");
  await mkdir(join(directory, "open"));
  await execa("chmod", ["777", join(directory, "open")]);
  await mkdir(join(directory, "other"));
  await execa("chown", ["65534", join(directory, "other")]);
  const messages = {
    open: "chmod go-w",
    other: "chown root",
  };
  for (const [path, message] of Object.entries(messages)) {
    const result = await chroot({ name: "x", root: join(directory, path), tarball: archive });
    expect(result.msg).toContain(message);
  }
});

test("two at once: the second names the first", async () => {
  const waiting = join(directory, "waiting");
  const first = startCreation({ name: "two", root, command: ["/bin/sh", "-c", `touch ${waiting}; sleep 600`] });
  onTestFinished(async () => {
    first.kill("SIGKILL");
    await first;
    await until(() => processesAt(waiting).length === 0);
  });
  await until(() => existsSync(waiting));
  const second = await chroot({ name: "two", root, tarball: archive });
  const holder = readFileSync(join(root, ".nspawn-runner/two/lock"), "utf8").trim();
  expect(second.msg).toBe(`image two is locked by another run (process ${holder}): wait until it ends`);
  expect(holder).toMatch(/^\d+, creation$/);
});

test("two recreations at once: the second takes the lock before the check for users of the tree", async () => {
  const [waiting, again] = [join(directory, "waiting-anew"), join(root, "again")];
  await busyboxTree(again);
  const command = ["/bin/sh", "-c", `touch ${waiting}; sleep 600`];
  const first = startCreation({ name: "again", root, recreate: true, command });
  onTestFinished(async () => {
    first.kill("SIGKILL");
    await first;
    await until(() => processesAt(waiting).length === 0);
  });
  await until(() => existsSync(waiting));
  await running(sleeper, again);
  const second = await chroot({ name: "again", root, recreate: true, tarball: archive });
  expect(second.msg).toMatch(/^image again is locked by another run \(process \d+, creation\): wait until it ends$/);
});

test.each([
  ["fails", ["/bin/sh", "-c", "echo some words; exit 7"], /^\/bin\/sh failed with exit status 7\nsome words$/],
  ["makes nothing", ["/bin/true"], /^the new tree is not usable: it is empty$/],
  [
    "makes no shell",
    ["/bin/mkdir", "-p", "{tree}/usr/bin"],
    /^the new tree is not usable: it has no \/bin\/sh that can run/,
  ],
  [
    "removes its directory",
    ["/bin/rmdir", "{tree}"],
    /^\S+\/command cannot be made: \S+\/staged: No such file or directory$/,
  ],
])("a command that %s", async (_what, command, message) => {
  const result = await chroot({ name: "command", root, command });
  expect(result).toMatchObject({ exitCode: 2, msg: expect.stringMatching(message) });
  expect(existsSync(join(root, "command"))).toBe(false);
  expect(stateOf(root, "command").filter((name) => name !== "lock")).toEqual([]);
});

test("programs of another architecture", async () => {
  const script =
    "mkdir -p $0/usr/bin && ln -s usr/bin $0/bin && printf '\\177ELF\\002\\001\\001' >$0/usr/bin/sh && chmod 755 $0/usr/bin/sh";
  const result = await chroot({ name: "foreign", root, command: ["/bin/sh", "-c", script, "{tree}"] });
  expect(result.msg).toMatch(
    /^the new tree is not usable: its programs are of an architecture that this host cannot run: use an architecture/,
  );
});

test("without root rights", async () => {
  const home = scratch();
  await chmod(home, 0o777);
  const result = await chroot(
    { name: "x", root: join(directory, "mine"), tarball: archive },
    { under: asNobody, env: { HOME: home, ANSIBLE_REMOTE_TMP: home, ANSIBLE_LOCAL_TEMP: home } },
  );
  expect(result.msg).toBe("making and removing trees requires root: use become, or run Ansible as root");
});

test.each(["ext4", "btrfs"] as const)("a full disk (%s): a clear error, and all space is freed", async (kind) => {
  const mount = await loopFileSystem(kind, kind === "btrfs" ? 120 : 40);
  await execa("chmod", ["755", mount]);
  const fill = ["/bin/sh", "-c", "exec dd if=/dev/urandom of={tree}/big bs=1M"];
  const result = await chroot({ name: "full", root: mount, command: fill });
  expect(result.msg).toMatch(new RegExp(`^/bin/sh failed: the disk is full: free some space in ${mount}\n`));
  expect(existsSync(join(mount, "full"))).toBe(false);
  expect(stateOf(mount, "full")).toEqual(["lock"]);
  expect((await chroot({ name: "full", root: mount, tarball: archive })).exitCode).toBe(0);
});

test("on btrfs a tree is a subvolume, and inner subvolumes are removed too", async () => {
  const mount = await loopFileSystem("btrfs", 120);
  await execa("chmod", ["755", mount]);
  const params = { name: "sub", root: mount, tarball: archive };
  expect((await chroot(params)).exitCode).toBe(0);
  const subvolumes = async () =>
    (await execa("btrfs", ["subvolume", "list", mount])).stdout.split("\n").filter(Boolean);
  expect(statSync(join(mount, "sub")).ino).toBe(256);
  await execa("btrfs", ["subvolume", "create", join(mount, "sub/srv")]);
  await execa("btrfs", ["subvolume", "create", join(mount, "sub/srv/deep")]);
  expect((await chroot({ ...params, recreate: true })).exitCode).toBe(0);
  expect(await subvolumes()).toHaveLength(1);
  await execa("btrfs", ["subvolume", "create", join(mount, "sub/srv")]);
  expect((await chroot({ name: "sub", root: mount, state: "absent" })).exitCode).toBe(0);
  expect(await subvolumes()).toHaveLength(0);
});

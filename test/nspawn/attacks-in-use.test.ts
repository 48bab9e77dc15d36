// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Users of the host and containers that pretend to use a tree, or use one that anybody can enter; and jobs that do use a tree, in unusual ways.

import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, onTestFinished, test } from "vitest";
import { collectionPath } from "../support/ansible.ts";
import { type Generation, ImageHost, pythonEnvironment } from "../support/image-host.ts";
import { loopFileSystem } from "../support/loop.ts";
import { container, processes, type Running, running, sleeper, until } from "../support/process.ts";
import { mountsBeneath, scratch } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] as const;
// Mounts that are made by these tests are complete before each prune.
const complete = "generations._completes_mounts = lambda place, entry: True";
// Kills the process instead of a wait for ever.
const alarm = "import signal; signal.alarm(60)";

/** An image with a tree of busybox, in which a command can run, and a generation. */
async function image(): Promise<ImageHost> {
  const host = new ImageHost(scratch());
  await publish(host);
  await publish(host);
  return host;
}

/** Publishes a tree of busybox. */
async function publish(host: ImageHost, before = ""): Promise<string | undefined> {
  await busyboxTree(join(host.state, "staged"));
  // Less patience with containers that seem to start.
  const patience = "publish.quiet = lambda tree: quiet.quiet(tree, 2)";
  const { error } = await host.call<Generation>("publish.publish(p, {})", `${before}\n${patience}`);
  return error;
}

const prune = (host: ImageHost, before = complete) =>
  host.call<string[]>("generations.prune(p, 0, 0, log.append)", before);

/** A command in place by the wrapper. */
async function inPlace(tree: string): Promise<string> {
  const wrapper = join(collectionPath(), "playbooks/files/nspawn-chroot");
  const { exitCode, stderr } = await execa(wrapper, [tree, "true"], { reject: false, stdin: "ignore" });
  return exitCode === 0 ? "" : stderr;
}

const generation = (host: ImageHost, index = 0) => join(host.state, "generations", host.ids()[index] as string);

/** Nothing is in the way of a command in place, of a session, of a publish and of the removal of all generations. */
async function expectFree(host: ImageHost): Promise<void> {
  expect(await inPlace(host.tree)).toBe("");
  expect((await host.call<string[]>("in_use.overlay_mounts(p.path)")).value).toEqual([]);
  expect(await publish(host)).toBeUndefined();
  const { log } = await prune(host);
  expect(log).toEqual([]);
  expect(host.ids()).toEqual([]);
}

/** A user of the published tree is in the way of a command in place, and keeps the tree as a generation until the end. */
async function expectUsed(host: ImageHost, user: Running, by: RegExp, found = true): Promise<void> {
  if (found) expect(await inPlace(host.tree)).toMatch(/in use by an overlay mount that process \d+ /);
  expect(await publish(host)).toBeUndefined();
  const used = generation(host);
  const { log } = await prune(host);
  expect(log).toEqual([expect.stringMatching(by)]);
  expect(log[0]).toContain(`${used} is in use by`);
  await user.end();
  expect((await prune(host)).log).toEqual([]);
  expect(host.ids()).toEqual([]);
}

/** Directories for an overlay, and the options of its mount. */
function overlay(lower: string): { directory: string; options: string } {
  const directory = scratch();
  for (const name of ["upper", "work", "merged"]) mkdirSync(join(directory, name));
  return { directory, options: `lowerdir=${lower},upperdir=${directory}/upper,workdir=${directory}/work` };
}

describe("a user of the host, in mount and user namespaces of his own", () => {
  // Makes directories, layers, an open file and a program of these paths, and a lock.
  const PRETENDER = `
import fcntl, os, shutil, struct, subprocess, sys
program, lock, *trees = sys.argv[1:]
for tree in trees:
    os.makedirs(tree)
    os.makedirs("/var/tmp/merged" + tree)
    subprocess.run(["mount", "-t", "overlay", "x", "-o", f"lowerdir={tree}:/usr/share", "/var/tmp/merged" + tree], check=True)
    os.set_inheritable(os.open(tree + "/file", os.O_RDWR | os.O_CREAT), True)
os.makedirs(os.path.dirname(lock))
descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
os.set_inheritable(descriptor, True)
shutil.copy("/bin/sleep", program)
os.chdir(trees[0])
print("up", flush=True)
os.execv(program, [program, "600"])
`;

  test("with all paths of an image: neither the image nor a generation is in use", async () => {
    const host = await image();
    const { dev, ino } = await stat(host.tree);
    const trees = [join(host.state, "staged"), host.tree, generation(host)];
    const lock = `/run/systemd/nspawn/locks/inode-${dev}:${ino}`;
    const script = 'mount -t tmpfs x /var/tmp && mount -t tmpfs x /run && exec /usr/bin/python3 -c "$@"';
    await running([
      ...asNobody,
      ...["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", script, "sh"],
      ...[PRETENDER, join(host.tree, "systemd-nspawn-x"), lock, ...trees],
    ]);
    await expectFree(host);
  });

  test("with a file system by FUSE in a tree that all can enter: the tree is removed, the mount too", async () => {
    const host = await image();
    const directory = join(host.tree, "tmp/mine");
    mkdirSync(directory);
    await running(["/usr/bin/python3", join(import.meta.dirname, "silent_fuse.py"), directory, "65534"]);
    // The doctor asks this, and a copy on a disk that is nearly full.
    expect((await host.call<number>('stage.used(p.path, "--inodes")', alarm)).value).toBeGreaterThan(0);
    await expectFree(host);
    expect(mountsBeneath(host.root)).toEqual([]);
  });

  test("in a tree that all can enter: neither the image nor a generation is in use", async () => {
    const directory = scratch();
    const host = new ImageHost(directory);
    for (const path of [directory, host.root]) chmodSync(path, 0o755);
    await publish(host);
    // A real working directory, open files, a lock, a bind mount, an overlay, and a program in the tree's root directory.
    const script = `cd ${host.tree} && exec 5<. 6<usr/bin/busybox && flock 5 && mount --bind . /mnt &&
      mount -t overlay x -o lowerdir=${host.tree}:/usr/share /media && exec chroot . ${sleeper.map((word) => `'${word}'`).join(" ")}`;
    await running([...asNobody, "unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", script]);
    await expectFree(host);
    // A tree of no image, which commands and sessions lock by themselves.
    const tree = await busyboxTree(join(directory, "tree"));
    await running([...asNobody, "flock", "--no-fork", tree, ...sleeper]);
    expect(await inPlace(tree)).toBe("");
    const session = `__import__("contextlib").ExitStack().enter_context(lock.tree_lock("${tree}", None))`;
    expect((await host.call(session)).error).toBeUndefined();
  });
});

test.each([
  ["as root of the host", "", []],
  // A layer that leads nowhere is looked up in other places.
  ["in a user namespace", "rm -r $1;", ["--private-users=524288:65536", "--private-users-ownership=chown"]],
])("a container of another image, %s, that has the same paths: the image is not in use", async (_, more, flags) => {
  const host = await image();
  const other = await busyboxTree(join(scratch(), "other"));
  const script = `mount -t tmpfs x /var && mkdir /var/other && for tree in "$@"; do
      mkdir -p $tree /mnt/$tree && mount -t overlay x -o lowerdir=$tree:/var/other /mnt/$tree || exit
    done
    cd $2 && ${more} exec 5<. && echo up && exec sleep 600`;
  const trees = [host.tree, join(host.state, "staged"), generation(host)];
  await running(container(other, ...flags, "/bin/sh", "-c", script, "sh", ...trees));
  await expectFree(host);
});

describe("a job that uses the published tree", () => {
  test("by an overlay as the root directory of a container that locks another tree", async () => {
    const host = await image();
    const other = await busyboxTree(join(scratch(), "other"));
    const flags = ["--read-only", `--overlay=${host.tree}:${scratch()}:/`];
    const job = await running(container(other, ...flags, ...sleeper));
    await expectUsed(host, job, /the mount \/, made when the tree was at/);
  });

  test("the same in a user namespace", async () => {
    const host = await image();
    const other = await busyboxTree(join(scratch(), "other"));
    const users = ["--private-users=524288:65536", "--private-users-ownership=chown"];
    const job = await running(container(other, ...users, `--overlay=${host.tree}:${scratch()}:/mnt`, ...sleeper));
    await expectUsed(host, job, /the mount \/mnt, made when the tree was at/);
  });

  test("by an overlay that it has entered by chroot, with a layer by a link, and makes the same paths there", async () => {
    const host = await image();
    const link = join(scratch(), "link");
    symlinkSync(host.tree, link);
    const { directory, options } = overlay(link);
    const script = `mount -t overlay x -o ${options} ${directory}/merged && mkdir -p ${directory}/merged${link} &&
      exec chroot ${directory}/merged /bin/sh -c "echo up; exec sleep 600"`;
    const job = await running(["unshare", "--mount", "/bin/sh", "-c", script]);
    await expectUsed(host, job, /\/merged, made when the tree was at/, false);
  });

  test.each([
    ["of another user", "chroot", "--userspec=65534:65534"],
    ["in a user namespace", "unshare", "--user", "--map-root-user", "chroot"],
  ])("by chroot, as a process %s", async (_, program, ...flags) => {
    const host = await image();
    const job = await running([program, ...flags, host.tree, ...sleeper]);
    await expectUsed(host, job, /process \d+ \((sh|sleep|busybox)\)/, false);
  });
});

describe("processes in the way of a look at all processes", () => {
  test("one in a directory with a path that is too long for the kernel", async () => {
    const host = await image();
    const script = `i=0; while [ $i -lt 25 ]; do mkdir $0 && cd -P $0 || exit; i=$((i + 1)); done; exec ${sleeper[0]} -c '${sleeper[2]}'`;
    await running(["/bin/sh", "-c", script, "d".repeat(200)], scratch());
    await expectFree(host);
  });

  test("one in a file system whose server does not answer", async () => {
    const host = await image();
    const directory = scratch();
    await running(["/usr/bin/python3", join(import.meta.dirname, "silent_fuse.py"), directory, "0"]);
    expect(await publish(host, alarm)).toBeUndefined();
    expect(await prune(host, `${complete}\n${alarm}`)).toMatchObject({ log: [] });
    expect(await inPlace(host.tree)).toBe("");
  });
});

test("an overlay that is being mounted while the tree is replaced keeps the tree that it found", async () => {
  const host = await image();
  const upper = await loopFileSystem("ext4", 16);
  for (const name of ["upper", "work"]) mkdirSync(join(upper, name));
  const merged = scratch();
  const options = `lowerdir=${host.tree},upperdir=${upper}/upper,workdir=${upper}/work`;
  await execa("fsfreeze", ["--freeze", upper]);
  onTestFinished(async () => {
    await execa("fsfreeze", ["--unfreeze", upper], { reject: false });
  });
  const script = `echo up; mount -t overlay x -o ${options} ${merged}; exec sleep 600`;
  await running(["unshare", "--mount", "/bin/sh", "-c", script]);
  // The frozen upper layer stops the mount after the look at the layers.
  const waits = (pid: number) => / D /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  await until(() => processes(options).some(({ pid }) => waits(pid)));
  expect(await publish(host)).toBeUndefined();
  const used = generation(host);
  expect((await prune(host, "")).log).toContainEqual(
    expect.stringMatching(`generation ${host.ids()[0]} stays until the next maintenance`),
  );
  expect(existsSync(used)).toBe(true);
  // The upper layer stays frozen for longer than a run takes.
  await execa("fsfreeze", ["--unfreeze", upper]);
  await until(async () => (await host.call<string[]>("in_use.overlay_mounts(p.path)")).value?.length === 1);
  const inUse = expect.stringContaining(`${used} is in use by the mount ${merged}`);
  expect((await prune(host, "")).log).toContainEqual(inUse);
  // The next run knows the mount as well.
  expect((await prune(host, "")).log).toContainEqual(inUse);
});

test("on btrfs, a subvolume of somebody else that was deleted and is still open is not waited for", async () => {
  const mount = await loopFileSystem("btrfs", 256);
  const host = new ImageHost(mount);
  await execa("btrfs", ["subvolume", "create", join(mount, "job")]);
  writeFileSync(join(mount, "job/file"), "");
  const { end } = await running(["/bin/sh", "-c", "exec 5<file; cd /; echo up; exec sleep 600"], join(mount, "job"));
  await execa("btrfs", ["subvolume", "delete", join(mount, "job")]);
  await execa("btrfs", ["subvolume", "create", join(host.state, "staged")]);
  await execa("btrfs", ["subvolume", "create", join(host.state, "staged/below")]);
  const script = `import time
from ansible_collections.nspawn.runner.plugins.module_utils._tree.remove import remove_tree
start = time.monotonic()
remove_tree("${host.state}/staged")
print(time.monotonic() - start)`;
  const { stdout } = await execa("timeout", ["50", "/usr/bin/python3", "-c", script], { env: pythonEnvironment() });
  expect(Number(stdout)).toBeLessThan(50);
  await end();
});

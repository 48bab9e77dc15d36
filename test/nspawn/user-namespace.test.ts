// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The user namespace of a container: owners of files, setuid programs, binds, other file systems, and secrets of the environment.

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ansible, collectionPath } from "../support/ansible.ts";
import { sessions } from "../support/connection-host.ts";
import { contents } from "../support/listing.ts";
import { until } from "../support/process.ts";
import { files, scratch } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";
import { notMapped, unmappable } from "../support/unmappable.ts";

const exe = join(collectionPath(), "playbooks/files/nspawn-chroot");

/** An image with these lines in the file of its options. */
async function image(lines: readonly string[] = [], make: (tree: string) => Promise<string> = busyboxTree) {
  const root = scratch();
  const state = join(root, ".nspawn-runner/img");
  await mkdir(state, { recursive: true, mode: 0o700 });
  await writeFile(join(state, "container"), lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  return { root, tree: await make(join(root, "img")) };
}

const call = async (tree: string, ...command: readonly string[]) => {
  const { exitCode, stdout, stderr } = await execa(exe, [tree, ...command], { reject: false, input: "" });
  return { exitCode, stdout, stderr };
};
const sh = (tree: string, script: string) => call(tree, "/bin/sh", "-c", script);

/** Runs a command by the connection plugin, in a session that ends at once. */
async function inSession(root: string, tree: string, command: string) {
  const img = { ansible_host: tree, ansible_connection: "nspawn.runner.nspawn", ansible_nspawn_idle_time: 0 };
  await files(root, { "hosts.yml": JSON.stringify({ all: { hosts: { img } } }) });
  const result = await ansible("ansible", ["-i", "hosts.yml", "img", "-m", "raw", "-a", command], { cwd: root });
  await until(() => sessions(tree).length === 0);
  return result;
}

/** Command lines of all processes of this machine. */
const commandLines = (): string =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return ""; // ended meanwhile
      }
    })
    .join("\n");

const range = (uidMap: string): number => Number(/^\s*0\s+(\d+)\s+65536$/m.exec(uidMap)?.[1]);

test("two containers at the same time have different ids, and neither has the host's", async () => {
  const ranges = await Promise.all(
    ["a", "b"].map(async () => {
      const wrapper = execa(exe, [(await image()).tree, "sh", "-c", "cat /proc/self/uid_map; read line"]);
      const line = await new Promise<string>((seen) => wrapper.stdout.once("data", (data) => seen(String(data))));
      return { line, wrapper };
    }),
  );
  for (const { wrapper } of ranges) wrapper.stdin.end("\n");
  await Promise.all(ranges.map(({ wrapper }) => wrapper));
  const [first = 0, second = 0] = ranges.map(({ line }) => range(line));
  expect(Math.min(first, second)).toBeGreaterThanOrEqual(524288);
  expect(first).not.toBe(second);
});

/** CAP_NET_BIND_SERVICE, as in a file of a host without user namespaces (struct vfs_cap_data). */
const capability = "0100000200040000000000000000000000000000";

test("on the disk, owners, modes and capabilities are those that the container sees", async () => {
  const script = `
    set -e
    cd /root
    touch of-root of-daemon setuid link-target
    chown 1:2 of-daemon
    cp /usr/bin/id /usr/bin/setuid-id
    chmod 4755 /usr/bin/setuid-id
    ln -s link-target link
    chown -h 33:33 link
    python3 - <<'END'
import os
value = bytes.fromhex("${capability}")
os.setxattr("/root/of-root", "security.capability", value)
assert os.getxattr("/root/of-root", "security.capability") == value
END
    su nobody -s /bin/sh -c "/usr/bin/setuid-id -u"
    stat -c '%u:%g %a' of-root of-daemon /usr/bin/setuid-id link`;
  const seen = { exitCode: 0, stdout: "0\n0:0 644\n1:2 644\n0:0 4755\n33:33 777", stderr: "" };
  const listing: string[] = [];
  for (const options of [[], ["--private-users=no"]]) {
    const { tree } = await image(options, debianTree);
    expect(await sh(tree, script)).toEqual(seen);
    listing.push(await contents(join(tree, "root")));
    const read = "import os, sys; print(os.getxattr(sys.argv[1], 'security.capability').hex())";
    const { stdout } = await execa("python3", ["-c", read, join(tree, "root/of-root")]);
    expect(stdout).toBe(capability);
    const strange = await execa("find", [tree, "-uid", "+65534", "-o", "-gid", "+65534"]);
    expect(strange.stdout).toBe("");
  }
  expect(listing[0]).toBe(listing[1]);
});

test("without a user namespace, when the image's options say so, root is the host's", async () => {
  const { tree } = await image(["--private-users=no"]);
  expect((await sh(tree, "cat /proc/self/uid_map")).stdout.trim()).toMatch(/^0\s+0\s+4294967295$/);
});

test("the caller's environment does not reach a container, also without a user namespace", async () => {
  const { tree } = await image(["--private-users=no"]);
  const { stdout } = await execa(exe, [tree, "cat", "/proc/1/environ"], {
    input: "",
    env: { OF_THE_CALLER: "secret" },
  });
  expect(stdout).toContain("container=systemd-nspawn");
  expect(stdout).not.toContain("secret");
});

test("files of binds have the same owners on both sides, and a read-only bind stays so", async () => {
  const outside = await files(scratch(), { "rw/of-daemon": "", "ro/x": "" });
  await chown(join(outside, "rw/of-daemon"), 1, 2);
  const binds = [`--bind=${outside}/rw:/mnt/rw:idmap`, `--bind-ro=${outside}/ro:/mnt/ro:idmap`];
  const { tree } = await image(binds);
  const script = "stat -c %u:%g /mnt/rw/of-daemon; touch /mnt/rw/new; chown 3:4 /mnt/rw/new; touch /mnt/ro/new 2>&1";
  const { stdout } = await sh(tree, script);
  expect(stdout).toBe("1:2\ntouch: /mnt/ro/new: Read-only file system");
  const { uid, gid } = lstatSync(join(outside, "rw/new"));
  expect([uid, gid]).toEqual([3, 4]);
});

test("a tree and a bind whose owners cannot be mapped are refused with the variable, unless the image has no user namespace", async () => {
  const root = await unmappable();
  const tree = await busyboxTree(join(root, "img"));
  const sentence = (path: string) =>
    `${notMapped(path)}: use another file system, or set nspawn_runner_user_namespace: false`;
  const refused = await call(tree, "true");
  expect([refused.exitCode, refused.stderr]).toEqual([
    125,
    expect.stringContaining(`nspawn-chroot: ${sentence(tree)}`),
  ]);
  // A Python that is only looked for.
  await writeFile(join(tree, "usr/bin/python3"), "");
  const { stdout, stderr } = await inSession(root, tree, "true");
  expect(stdout + stderr).toContain(sentence(tree));
  await files(root, { ".nspawn-runner/img/container": "--private-users=no\n" });
  expect((await call(tree, "true")).exitCode).toBe(0);
  // systemd-nspawn reads "\\:" as a colon of the path.
  const colon = join(root, "a:b");
  await mkdir(colon);
  const other = await image([`--bind=${root}/a\\:b:/mnt:idmap`]);
  const bind = await call(other.tree, "true");
  expect([bind.exitCode, bind.stderr]).toEqual([125, expect.stringContaining(sentence(colon))]);
});

test("a tree on a mount with ro and nosuid stays so in a container, and has no devices", async () => {
  const { root, tree } = await image([], debianTree);
  await execa("mount", ["--bind", tree, tree]);
  await execa("mount", ["-o", "remount,bind,ro,nosuid,noatime", tree]);
  const seen = /^\S+ \S+ \S+ \S+ \/ (ro,nosuid,nodev,noatime),idmapped /m;
  expect((await call(tree, "cat", "/proc/self/mountinfo")).stdout).toMatch(seen);
  expect((await inSession(root, tree, "cat /proc/self/mountinfo")).stdout).toMatch(seen);
});

test("values of the environment are in no list of arguments, and steer no program of the host", async () => {
  const secret = `geheim${process.pid}`;
  const value = `${secret} '"$(id)\\ \u2028 \u0085--bind=/:/mnt`;
  const options = [`--setenv=PASSWORD=${value}`, "--setenv=SYSTEMD_LOG_LEVEL=debug", "--setenv=LD_PRELOAD=/none.so"];
  const { root, tree } = await image(options, debianTree);
  const seen = `PASSWORD=${value}\nSYSTEMD_LOG_LEVEL=debug\n`;
  const command = "unset LD_PRELOAD; printenv PASSWORD SYSTEMD_LOG_LEVEL NSPAWN_RUNNER_ENVIRONMENT; read line; exit 4";
  const wrapper = execa(exe, [tree, "/bin/sh", "-c", command], { reject: false });
  const output = await new Promise<string>((ready) => wrapper.stdout.once("data", (data) => ready(String(data))));
  expect(output).toBe(seen.replaceAll(/^\w+=/gm, ""));
  expect(commandLines()).not.toContain(secret);
  wrapper.stdin.end("\n");
  expect((await wrapper).exitCode).toBe(4);
  expect(await wrapper.then(({ stderr }) => stderr)).not.toContain("Spawning container");
  const session = inSession(
    root,
    tree,
    "unset LD_PRELOAD; printenv PASSWORD; touch /root/up; until [ -e /root/go ]; do sleep 0.1; done",
  );
  await until(() =>
    readFile(join(tree, "root/up")).then(
      () => true,
      () => false,
    ),
  );
  expect(commandLines()).not.toContain(secret);
  await writeFile(join(tree, "root/go"), "");
  expect((await session).stdout).toContain(value);
});

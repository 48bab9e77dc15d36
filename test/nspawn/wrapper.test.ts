// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The wrapper on this host, with the installed artifact's file.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { access, chown, mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ansible, collectionPath, withChrootConnection } from "../support/ansible.ts";
import { contents } from "../support/listing.ts";
import { processes, running, until } from "../support/process.ts";
import { files, scratch } from "../support/scratch.ts";
import { archiveHost, busyboxTree, debianTree } from "../support/trees.ts";

const exe = () => join(collectionPath(), "playbooks/files/nspawn-chroot");
const hostDns = readFileSync("/etc/resolv.conf", "utf8");
const foreignDns = "nameserver 192.0.2.1\n";

const call = (tree: string, command: readonly string[], options: { input?: string | Uint8Array } = {}) =>
  execa(exe(), [tree, ...command], { input: options.input ?? "", reject: false });
const sh = (tree: string, script: string) => call(tree, ["/bin/sh", "-c", script]);
const busybox = (name = "img") => busyboxTree(join(scratch(), name));

/** A tree with dpkg, by busybox, and with the link that systemd-nspawn would make otherwise. */
async function withDpkg(tree: string): Promise<string> {
  await mkdir(join(tree, "usr/sbin"));
  await symlink("usr/sbin", join(tree, "sbin"));
  return tree;
}

test.each([
  ["exit 0", 0],
  ["exit 3", 3],
  ["exit 75", 75],
  ["exit 132", 132],
  ["exit 255", 255],
  ["kill -KILL $$", 137],
  ["kill -TERM 0", 143],
  ["kill -INT $$", 130],
])("the exit status of %j is %i, and nothing is added to the output", async (script, status) => {
  const { exitCode, stdout, stderr } = await sh(await busybox(), script);
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: status, stdout: "", stderr: "" });
});

test("a shell builtin is not found, and a file without a run bit cannot be executed", async () => {
  const tree = await busybox();
  expect((await call(tree, ["exit", "3"])).exitCode).toBe(127);
  expect((await call(tree, ["A=b"])).exitCode).toBe(127);
  expect((await call(tree, ["/etc/passwd"])).exitCode).toBe(126);
});

test("arguments arrive unchanged", async () => {
  const words = ["", "a b", "'\"$x`", "-n", "new\nline", "*", "--"];
  const { stdout } = await call(await busybox(), ["/usr/bin/printf", "[%s]", ...words]);
  expect(stdout).toBe(words.map((word) => `[${word}]`).join(""));
});

test("100 MB of binary data pass through standard input, output and error, from a pipe and from a file", async () => {
  const directory = scratch();
  const tree = await busyboxTree(join(directory, "img"));
  const data = randomBytes(100 * 1024 * 1024);
  await writeFile(join(directory, "data"), data);
  const sum = createHash("md5").update(data).digest("hex");
  for (const source of [`cat ${directory}/data |`, `<${directory}/data`]) {
    const { stdout } = await execa("sh", ["-c", `${source} "$0" "$1" cat | md5sum`, exe(), tree]);
    expect(stdout).toBe(`${sum}  -`);
  }
  for (const target of ["&2", "/dev/stderr"]) {
    const error = '{ "$0" "$1" sh -c "cat >$3; exit 3" <"$2" 2>&1; echo $? >&2; } | md5sum';
    const { stdout, stderr } = await execa("sh", ["-c", error, exe(), tree, join(directory, "data"), target]);
    expect([stdout, stderr], target).toEqual([`${sum}  -`, "3"]);
  }
});

test("a file that is standard input cannot be written from inside", async () => {
  const directory = scratch();
  const tree = await busyboxTree(join(directory, "img"));
  await writeFile(join(directory, "data"), "mine");
  const script = '"$0" "$1" /bin/sh -c "echo theirs >/proc/self/fd/0" <"$2"';
  await execa("sh", ["-c", script, exe(), tree, join(directory, "data")], { reject: false });
  expect(await readFile(join(directory, "data"), "utf8")).toBe("mine");
});

test("streams that the command opens again, a reader that ends early, and one file for both outputs", async () => {
  const tree = await busybox();
  // A FIFO would wait for a second process, and keep the tree's lock.
  expect((await call(tree, ["cat", "/dev/stdin"], { input: "" })).exitCode).toBe(0);
  const output = async (script: string) =>
    (await execa("/bin/sh", ["-c", script, exe(), tree], { input: "in", all: true })).all;
  expect(await output('"$0" "$1" sh -c "cat /dev/stdin >/dev/stdout"')).toBe("in");
  expect(await output('"$0" "$1" sh -c "while echo x >/dev/stdout; do :; done" | head -n 1')).toBe("x");
  expect(await output('trap "" PIPE; "$0" "$1" yes | head -n 1')).toBe("y");
  const numbers = Array.from({ length: 200 }, (_, number) => String(number));
  const script = "for n in $(seq 0 2 198); do echo $n; echo $((n + 1)) >&2; done";
  expect((await output(`"$0" "$1" sh -c '${script}' 2>&1`)).split("\n")).toEqual(numbers);
});

test("a tree with a mount beneath it is refused, since the container would not have the mount", async () => {
  const tree = await busybox();
  await mkdir(join(tree, "srv/data"), { recursive: true });
  await execa("mount", ["-t", "tmpfs", "tmpfs", join(tree, "srv/data")]);
  expect(await call(tree, ["true"])).toMatchObject({
    exitCode: 125,
    stderr: `nspawn-chroot: ${tree} has mounts beneath it: run umount ${tree}/srv/data`,
  });
  await execa("umount", [join(tree, "srv/data")]);
  expect((await call(tree, ["true"])).exitCode).toBe(0);
});

test("control characters in the names of mount points and processes appear as escapes", async () => {
  const tree = await busybox();
  const point = join(tree, "srv/\x1b]0;title\x07\u202e");
  await mkdir(point, { recursive: true });
  await execa("mount", ["-t", "tmpfs", "tmpfs", point]);
  const { stderr } = await call(tree, ["true"]);
  expect(stderr).toMatch(/run umount .*\/srv\/\\x1b\]0;title\\x07\\xe2\\x80\\xae$/);
  // Ansible shows only the standard output of this command.
  expect((await sh(tree, "mkdir -p /root/.ansible/tmp/ansible-tmp-1")).stdout).toBe(stderr);
  await execa("umount", [point]);
  // The overlay of a job; the first process that sees the mount has this name.
  const named = `import ctypes, os; ctypes.CDLL(None).prctl(15, b"\\x1b[2J\\xc2\\x9b"); print("up", flush=True); os.read(0, 1)`;
  const mount = `mount -t overlay x -o lowerdir=${tree}:/etc /mnt && exec /usr/bin/python3 -c '${named}'`;
  const job = await running(["unshare", "--mount", "sh", "-c", mount]);
  expect((await call(tree, ["true"])).stderr).toMatch(/ that process \d+ \(\\x1b\[2J\\xc2\\x9b\) sees: /);
  await job.end();
});

test("a closed standard input is empty", async () => {
  const { stdout } = await execa("sh", ["-c", '"$0" "$1" cat <&-; echo $?', exe(), await busybox()]);
  expect(stdout).toBe("0");
});

test("a closed standard error loses the messages, not the command", async () => {
  const script = '"$0" "$1" sh -c "echo out; echo lost >&2; exit 5" 2>&-; echo $?';
  const { stdout } = await execa("sh", ["-c", script, exe(), await busybox()]);
  expect(stdout).toBe("out\n5");
});

test("processes that the command leaves running end with the command", async () => {
  const tree = await busybox();
  const marker = `sleep 11${process.pid}`;
  const { exitCode } = await sh(tree, `${marker} & echo started`);
  expect(exitCode).toBe(0);
  expect(isRunning(marker)).toBe(false);
});

test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"] as const)(
  "%s of the wrapper ends the container, and the next call repairs the tree",
  async (signal) => {
    const tree = await withDpkg(await busybox());
    await writeFile(join(tree, "etc/resolv.conf"), foreignDns);
    const before = await contents(tree);
    const marker = `sleep 22${process.pid}`;
    const wrapper = execa(exe(), [tree, ...marker.split(" ")], { reject: false, stdin: "ignore" });
    await until(() => isRunning(marker));
    wrapper.kill(signal);
    await wrapper;
    await until(() => !isRunning(marker));
    expect(await contents(tree)).not.toBe(before);
    expect((await call(tree, ["true"])).exitCode).toBe(0);
    expect(await contents(tree)).toBe(before);
  },
);

test("a hundred calls in a row work, and leave nothing on the host", async () => {
  // With a private /run, since other tests run meanwhile.
  const loop = `
    mount -t tmpfs x /run && mkdir -p /run/systemd/nspawn/propagate || exit
    left() { find /run ! -path "/run/systemd/nspawn/locks*"; cut -d " " -f 2 /proc/mounts; }
    "$0" "$1" true && before=$(left)
    i=0
    while [ $i -lt 100 ]; do "$0" "$1" true <"$0" || exit; i=$((i + 1)); done
    # A mount of another test can vanish meanwhile, with the mount point; only new entries count.
    if left | grep -vxF "$before" >&2; then exit 3; fi`;
  const { exitCode, stderr } = await execa("unshare", ["--mount", "sh", "-c", loop, exe(), await busybox()], {
    reject: false,
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
});

test("inside, DNS is the host's with every kind of /etc/resolv.conf in the tree, and the tree does not change", async () => {
  const link = (target: string) => (tree: string) => symlink(target, join(tree, "etc/resolv.conf"));
  const cases: Record<string, (tree: string) => Promise<unknown>> = {
    missing: async () => {},
    "a file": (tree) => writeFile(join(tree, "etc/resolv.conf"), foreignDns),
    "the same": (tree) => writeFile(join(tree, "etc/resolv.conf"), hostDns),
    "systemd-resolved": link("../run/systemd/resolve/stub-resolv.conf"),
    "an absolute link": link("/run/NetworkManager/resolv.conf"),
    "by /var/run": async (tree) => {
      await symlink("/run", join(tree, "var/run"));
      await link("/var/run/resolvconf/resolv.conf")(tree);
    },
    "a link into the tree": async (tree) => {
      await writeFile(join(tree, "etc/resolv.real"), foreignDns);
      await link("resolv.real")(tree);
    },
    "a dangling link": link("/nowhere/resolv.conf"),
    "a loop": link("resolv.conf"),
    "out of the tree": link("../../../../../../etc/hostname"),
  };
  for (const [name, prepare] of Object.entries(cases)) {
    const tree = await withDpkg(await busybox());
    await prepare(tree);
    const before = await contents(tree);
    const { stdout, stderr } = await sh(tree, "cat /etc/resolv.conf; test -x /usr/sbin/policy-rc.d && echo policy");
    expect.soft([stdout, stderr], name).toEqual([`${hostDns}policy`, ""]);
    expect.soft(await contents(tree), name).toBe(before);
  }
});

test.each(["dev", "etc", "proc", "run", "sys"])(
  "a tree with a link as /%s is refused, and no file of the host is used",
  async (name) => {
    const tree = await busybox();
    const outside = await files(join(scratch(), "outside"), { "resolv.conf": foreignDns });
    await rm(join(tree, name), { recursive: true });
    await symlink(outside, join(tree, name));
    const before = await contents(outside);
    const { exitCode, stderr } = await sh(tree, "true");
    expect([exitCode, stderr]).toEqual([
      125,
      `nspawn-chroot: ${tree}/${name} is a symbolic link, which systemd-nspawn could follow on the host: put a directory in its place`,
    ]);
    expect(await contents(outside)).toBe(before);
  },
);

test.each([
  ["a link to a file of the host", (path: string) => symlink("/etc/passwd", path)],
  ["a pipe, which would be waited for", (path: string) => execa("mkfifo", [path])],
])("a tree with %s as /etc/machine-id is refused", async (_what, make) => {
  const tree = await busybox();
  await make(join(tree, "etc/machine-id"));
  const { exitCode, stderr } = await sh(tree, "true");
  expect([exitCode, stderr]).toEqual([
    125,
    `nspawn-chroot: ${tree}/etc/machine-id is not a regular file, and systemd-nspawn would open it or its target on the host: remove it`,
  ]);
});

test("the tree is checked again before each command, also when the next command was called during the first", async () => {
  // A staged tree: the maintenance holds the lock, and the wrapper takes none.
  const tree = await busyboxTree(join(scratch(), ".nspawn-runner/img/staged"));
  const outside = scratch();
  const first = sh(tree, `echo >/there; sleep 0.5; mv /etc /other && ln -s ${outside} /etc`);
  await until(async () => existsSync(join(tree, "there")));
  const second = await sh(tree, "true");
  expect((await first).exitCode).toBe(0);
  expect(second.exitCode).toBe(125);
  expect(second.stderr).toContain(`${tree}/etc is a symbolic link`);
  expect(await readdir(outside)).toEqual([]);
});

test("a command may replace, change or remove /etc/resolv.conf, and the change is kept", async () => {
  const tree = await busybox();
  const resolvConf = join(tree, "etc/resolv.conf");
  expect((await sh(tree, "echo mine >/etc/new && mv /etc/new /etc/resolv.conf")).exitCode).toBe(0);
  expect(await readFile(resolvConf, "utf8")).toBe("mine\n");
  expect((await sh(tree, "echo more >>/etc/resolv.conf")).exitCode).toBe(0);
  expect(await readFile(resolvConf, "utf8")).toBe(`${hostDns}more\n`);
  expect((await sh(tree, "ln -sf /run/x/resolv.conf /etc/resolv.conf")).exitCode).toBe(0);
  expect(await readlink(resolvConf)).toBe("/run/x/resolv.conf");
  expect((await sh(tree, "rm /etc/resolv.conf")).exitCode).toBe(0);
  await expect(access(resolvConf)).rejects.toThrow();
  expect((await execa("ls", ["-A", join(tree, "etc")])).stdout).toBe("os-release\npasswd");
});

test("a policy-rc.d of the tree, and a policy-rc.d that the command makes, stay", async () => {
  const tree = await withDpkg(await busybox());
  const policy = join(tree, "usr/sbin/policy-rc.d");
  await sh(tree, "printf '#!/bin/sh\\nexit 0\\n' >/usr/sbin/policy-rc.d");
  expect(await readFile(policy, "utf8")).toBe("#!/bin/sh\nexit 0\n");
  expect((await sh(tree, "cat /usr/sbin/policy-rc.d")).stdout).toBe("#!/bin/sh\nexit 0");
  expect(await readFile(policy, "utf8")).toBe("#!/bin/sh\nexit 0\n");
});

test.each([
  ["img", "img"],
  ["debian-12.5", "debian-12.5"],
  ["a_b+c", "a-b-c"],
  [`${"long".repeat(20)}`, "long".repeat(16)],
])("the host name of image %s is %s", async (image, name) => {
  expect((await call(await busybox(image), ["hostname"])).stdout).toBe(name);
});

test("/tmp is kept, device nodes cannot be made, and SYSTEMD_OFFLINE is set", async () => {
  const tree = await busybox();
  await sh(tree, "echo kept >/tmp/x");
  const { stdout } = await sh(
    tree,
    "cat /tmp/x; mknod /tmp/null c 1 3 2>/dev/null || echo refused; echo $SYSTEMD_OFFLINE",
  );
  expect(stdout).toBe("kept\nrefused\n1");
});

test("a .nspawn file beside the tree is not obeyed", async () => {
  const tree = await busybox();
  await writeFile(`${tree}.nspawn`, "[Exec]\nEnvironment=OBEYED=1\n[Files]\nBind=/etc:/mnt\n");
  expect((await sh(tree, "echo $OBEYED; ls /mnt 2>/dev/null")).stdout).toBe("");
});

test("the image's options reach the container, for the published and the staged tree", async () => {
  const root = scratch();
  const state = join(root, ".nspawn-runner/img");
  await files(root, {
    ".nspawn-runner/img/container": `--setenv=A=x y\n--bind-ro=${root}/data:/mnt\nSYSTEMD_SECCOMP=0\nLD_PRELOAD=/evil.so\n`,
    "data/file": "shared\n",
  });
  for (const tree of [join(root, "img"), join(state, "staged")]) {
    await busyboxTree(tree);
    await mkdir(join(tree, "mnt"));
    const { stdout, stderr } = await sh(tree, "echo $A; cat /mnt/file; hostname; grep Seccomp: /proc/self/status");
    expect([stdout, stderr]).toEqual(["x y\nshared\nimg\nSeccomp:\t0", ""]);
  }
});

test("dpkg syncs each file in a published tree; in a staged tree only when the image asks for this", async () => {
  const root = scratch();
  const published = await busyboxTree(join(root, "img"));
  const staged = await busyboxTree(join(root, ".nspawn-runner/img/staged"));
  const force = async (tree: string) => (await sh(tree, "echo $DPKG_FORCE")).stdout;
  expect(await force(published)).toBe("");
  expect(await force(staged)).toContain("unsafe-io");
  await files(root, { ".nspawn-runner/img/container": "--setenv=DPKG_FORCE=downgrade\n" });
  expect(await force(staged)).toBe("downgrade");
});

test.each([
  ["written by another user", (file: string) => chown(file, 65534, 65534)],
  ["a link", (file: string) => rm(file).then(() => symlink("/etc/passwd", file))],
  ["open to its group", (file: string) => execa("chmod", ["664", file])],
])("options that are %s are refused", async (_, spoil) => {
  const root = scratch();
  const tree = await busyboxTree(join(root, "img"));
  await files(root, { ".nspawn-runner/img/container": "--bind=/:/mnt\n" });
  await spoil(join(root, ".nspawn-runner/img/container"));
  const { exitCode, stderr } = await call(tree, ["true"]);
  expect(exitCode).toBe(125);
  expect(stderr).toMatch(/^nspawn-chroot: .*\/container is not a file that only root can write: .*$/);
});

test("standard error of the command arrives at once; a shell that cannot be started is named", async () => {
  const tree = await busybox();
  const wrapper = execa(exe(), [tree, "/bin/sh", "-c", "echo early >&2; sleep 3333"], { reject: false, input: "" });
  const [early] = await once(wrapper.stderr, "data");
  wrapper.kill("SIGTERM");
  await wrapper;
  expect(String(early)).toBe("early\n");
  await rm(join(tree, "usr/bin/sh"));
  const { exitCode, stderr } = await call(tree, ["true"]);
  expect([exitCode, stderr]).toEqual([1, "execv(/bin/sh) failed: No such file or directory"]);
});

test("a command has three descriptors, however many the caller has open, and the first process those and a copy", async () => {
  const { tree } = await image();
  // The listing shell itself opens no descriptor.
  const script = '"$0" "$1" sh -c "for of in 1 \\$\\$; do ls /proc/\\$of/fd; done; env" <"$0" 5<"$0" 8<"$0" 9<"$0"';
  const { stdout, stderr } = await execa("sh", ["-c", script, exe(), tree]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^0\n1\n2\n9\n0\n1\n2\n\D/);
  expect(stdout).not.toContain("LISTEN_");
});

/** An image of busybox in a root directory that has images. */
async function image(name = "img"): Promise<{ root: string; tree: string; state: string; lock: string }> {
  const root = scratch();
  await mkdir(join(root, ".nspawn-runner"), { mode: 0o700 });
  const state = join(root, ".nspawn-runner", name);
  return { root, tree: await busyboxTree(join(root, name)), state, lock: join(state, "lock") };
}

/** Runs while another process holds the lock as module_utils/_session/lock.py does. */
async function held<T>(lock: string, purpose: string, body: (pid: number) => Promise<T>): Promise<T> {
  await mkdir(dirname(lock), { recursive: true, mode: 0o700 });
  // The text of an earlier holder stays in the file.
  await rm(lock, { force: true });
  const holder = execa("flock", [lock, "sh", "-c", `echo "$$, ${purpose}" >"$0"; exec sleep 600`, lock], {
    reject: false,
  });
  // flock forks, and ends when the child ends.
  try {
    await until(async () => (await readFile(lock, "utf8").catch(() => "")).endsWith(`, ${purpose}\n`));
    const pid = Number.parseInt(await readFile(lock, "utf8"), 10);
    try {
      return await body(pid);
    } finally {
      process.kill(pid);
    }
  } finally {
    await holder;
  }
}

const isRunning = (command: string): boolean => processes(new RegExp(`^${command}$`)).length > 0;

const isFree = async (lock: string) => (await execa("flock", ["-n", lock, "true"], { reject: false })).exitCode === 0;

/** The processes that have a file open. */
async function holders(file: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const targets = descriptors.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => ""));
    if ((await Promise.all(targets)).includes(file)) found.push(Number(pid));
  }
  return found;
}

/** Calls `body` while a process sleeps in a container on the tree, or in a mount namespace. */
async function job<T>(command: readonly [string, ...string[]], body: () => Promise<T>): Promise<T> {
  const [program, ...args] = command;
  const marker = `sleep 44${process.pid}`;
  const process_ = execa(program, [...args, ...marker.split(" ")], { reject: false, stdin: "ignore" });
  try {
    await until(() => isRunning(marker));
    return await body();
  } finally {
    await execa("pkill", ["--full", "--exact", marker], { reject: false });
    await process_;
  }
}

const nspawn = (...flags: string[]): [string, ...string[]] => [
  "unshare",
  ...["--mount", "--", "systemd-nspawn", "--register=no", "--keep-unit", "--quiet", "--console=pipe", "--as-pid2"],
  ...["--timezone=off", "--resolv-conf=off", `--machine=job${process.pid}`, ...flags],
];

test("a command in place holds the image's lock, in no other process, and writes the holder into the lock", async () => {
  const { tree, state, lock } = await image();
  const marker = `sleep 33${process.pid}`;
  const wrapper = execa(exe(), [tree, ...marker.split(" ")], { reject: false, stdin: "ignore" });
  await until(() => isRunning(marker));
  expect(await isFree(lock)).toBe(false);
  expect(await readFile(lock, "utf8")).toBe(`${wrapper.pid}, a command in place\n`);
  expect(await holders(lock)).toEqual([wrapper.pid]);
  expect((await stat(state)).mode & 0o7777).toBe(0o700);
  expect((await stat(lock)).mode & 0o7777).toBe(0o600);
  wrapper.kill("SIGTERM");
  await wrapper;
  expect(await isFree(lock)).toBe(true);
  expect((await sh(tree, "exit 3")).exitCode).toBe(3);
  expect(await isFree(lock)).toBe(true);
});

test("a command that does not read standard input keeps no lock", async () => {
  const { tree, lock } = await image();
  expect((await execa("sh", ["-c", '"$0" "$1" true </bin/busybox', exe(), tree])).stderr).toBe("");
  expect(await isFree(lock)).toBe(true);
});

test("kill -9 of the wrapper leaves no lock", async () => {
  const { tree, lock } = await image();
  const marker = `sleep 34${process.pid}`;
  const wrapper = execa(exe(), [tree, ...marker.split(" ")], { reject: false, stdin: "ignore" });
  await until(() => isRunning(marker));
  wrapper.kill("SIGKILL");
  await wrapper;
  await until(() => !isRunning(marker));
  expect(await holders(lock)).toEqual([]);
  expect(await isFree(lock)).toBe(true);
});

test("a tree outside a root directory is entered without a lock", async () => {
  const tree = await busybox();
  expect((await call(tree, ["true"])).exitCode).toBe(0);
  expect(await readdir(dirname(tree))).toEqual(["img"]);
});

test("while another run holds the image, a command is refused at once, and the staged tree can be entered", async () => {
  const { tree, state, lock } = await image();
  const staged = await busyboxTree(join(state, "staged"));
  await held(lock, "maintenance", async (pid) => {
    const start = Date.now();
    const { exitCode, stdout, stderr } = await call(tree, ["true"]);
    // Shorter than the wait for another command in place.
    expect(Date.now() - start).toBeLessThan(5000);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 75,
      stdout: "",
      stderr: `nspawn-chroot: the image img is locked by another run (process ${pid}, maintenance): wait until it ends`,
    });
    // Ansible shows only the standard output of this command.
    const mkdirs = await sh(tree, "mkdir -p /root/.ansible/tmp/ansible-tmp-1");
    expect(mkdirs.stdout).toBe(mkdirs.stderr);
    expect((await call(staged, ["hostname"])).stdout).toBe("img");
  });
  expect((await call(tree, ["true"])).exitCode).toBe(0);
});

test("commands in place wait for each other, for some seconds", async () => {
  const { tree, lock } = await image();
  const several = await Promise.all([1, 2, 3, 4].map(() => sh(tree, "sleep 0.1")));
  expect(several.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(Array(4).fill([0, ""]));
  await held(lock, "a command in place", async (pid) => {
    const start = Date.now();
    const { exitCode, stderr } = await call(tree, ["true"]);
    expect(exitCode).toBe(75);
    expect(stderr).toContain(`(process ${pid}, a command in place): wait until it ends`);
    expect(Date.now() - start).toBeGreaterThan(4000);
  });
});

test("a lock that names a process that has ended: the wrapper waits as for an unknown holder", async () => {
  const { tree, lock } = await image();
  await held(lock, "a command in place", async () => {
    // As between taking the lock and writing the holder's process id.
    await writeFile(lock, "4194305, maintenance\n");
    const start = Date.now();
    const { exitCode } = await call(tree, ["true"]);
    expect(exitCode).toBe(75);
    expect(Date.now() - start).toBeGreaterThan(4000);
  });
});

test("a command runs also on a full disk", async () => {
  const root = scratch();
  const tree = join(root, "img");
  const script = `
    mount -t tmpfs -o size=8m x "$1" && cd "$1" && mkdir -m 700 .nspawn-runner && cp -a "$2" img || exit
    "$0" img true && >.nspawn-runner/img/lock || exit
    cat /dev/zero >fill 2>/dev/null
    "$0" img sh -c "echo works; exit 3"`;
  const args = ["--mount", "sh", "-c", script, exe(), root, await busyboxTree(join(scratch(), "img"))];
  const { exitCode, stdout, stderr } = await execa("unshare", args, { reject: false, stdin: "ignore" });
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 3, stdout: "works", stderr: "" });
  await expect(access(tree)).rejects.toThrow();
});

test("in a directory of images of another user, a command is refused", async () => {
  const { root, tree } = await image();
  await chown(root, 65534, 65534);
  const { exitCode, stderr } = await call(tree, ["true"]);
  expect([exitCode, stderr]).toEqual([
    125,
    `nspawn-chroot: the directory of the image img, ${root}, is not owned by root: run chown root ${root}`,
  ]);
});

test.each([
  [
    "root's state, a link",
    async (root: string) => {
      await rm(join(root, ".nspawn-runner"), { recursive: true });
      await symlink("/var/tmp", join(root, ".nspawn-runner"));
    },
  ],
  ["image's state, a link", (root: string) => symlink("/var/tmp", join(root, ".nspawn-runner/img"))],
  [
    "image's state of another user",
    async (root: string) => {
      await mkdir(join(root, ".nspawn-runner/img"));
      await chown(join(root, ".nspawn-runner/img"), 65534, 65534);
    },
  ],
  [
    "lock, a link",
    async (root: string) => {
      await mkdir(join(root, ".nspawn-runner/img"));
      await symlink(join(root, "victim"), join(root, ".nspawn-runner/img/lock"));
    },
  ],
  [
    "lock of another user",
    async (root: string) => {
      await files(root, { ".nspawn-runner/img/lock": "" });
      await chown(join(root, ".nspawn-runner/img/lock"), 65534, 65534);
    },
  ],
])("the %s, is refused", async (_, spoil) => {
  const { root, tree } = await image();
  await spoil(root);
  const { exitCode, stderr } = await call(tree, ["true"]);
  expect(exitCode).toBe(125);
  expect(stderr).toMatch(
    /^nspawn-chroot: \S+ is a symbolic link or is not owned by root, so it cannot lock the image img: remove it$/,
  );
  await expect(access(join(root, "victim"))).rejects.toThrow();
});

test.each([
  ["a job that writes", []],
  ["a job that reads", ["--read-only"]],
])("%s holds the image: refused with one sentence", async (_, flags) => {
  const { tree } = await image();
  await job(nspawn(...flags, `--directory=${tree}`), async () => {
    const { exitCode, stdout, stderr } = await call(tree, ["true"]);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 75,
      stdout: "",
      stderr:
        "nspawn-chroot: the image img is in use by a container of systemd-nspawn, such as a job: wait until it ends",
    });
  });
  expect((await call(tree, ["true"])).exitCode).toBe(0);
});

test("an ephemeral job works on a copy and holds no lock; the lock file of a killed job holds no lock either", async () => {
  const { tree } = await image();
  await job(nspawn("--ephemeral", `--directory=${tree}`), async () => {
    const { exitCode, stderr } = await call(tree, ["true"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
  });
  const { dev, ino } = await stat(tree);
  await writeFile(`/run/systemd/nspawn/locks/inode-${dev}:${ino}`, "");
  expect((await call(tree, ["true"])).exitCode).toBe(0);
});

test("a command works at once after one that was killed", async () => {
  const { tree } = await image();
  for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL"] as const) {
    const marker = `sleep 35${process.pid}`;
    const wrapper = execa(exe(), [tree, ...marker.split(" ")], { reject: false, stdin: "ignore" });
    await until(() => isRunning(marker));
    wrapper.kill(signal);
    await wrapper;
    const { exitCode, stderr } = await call(tree, ["true"]);
    expect.soft([exitCode, stderr], signal).toEqual([0, ""]);
  }
});

test("an overlay with the tree as a layer, in any mount namespace, is refused; an overlay of a neighbour is not", async () => {
  for (const name of ["img", "img.1", "a b:c\\d,e(f)+"]) {
    const { root, tree } = await image(name);
    for (const directory of ["other", "up", "work", "point"]) await mkdir(join(root, directory));
    for (const neighbour of [`${tree}2`, join(root, `x${name}`), tree.replace("img.1", "img-1")])
      await mkdir(neighbour, { recursive: true });
    // Escaped for overlayfs.
    const path = (of: string) => of.replaceAll("\\", "\\\\").replaceAll(":", "\\:").replaceAll(",", "\\,");
    const cases: [string, boolean][] = [
      [`lowerdir=${path(tree)}:${root}/other`, true],
      [`lowerdir=${root}/other:${path(tree)}`, true],
      [`lowerdir=${root}/other:${path(tree)}/usr`, true],
      [`lowerdir=${root}/other,upperdir=${root}/up,workdir=${root}/work`, false],
      [`lowerdir=${path(`${tree}2`)}:${root}/other`, false],
      [`lowerdir=${root}/other:${path(join(root, `x${name}`))}`, false],
    ];
    if (name === "img.1") cases.push([`lowerdir=${root}/img-1:${root}/other`, false]);
    for (const [options, busy] of cases) {
      const mount = [
        "-c",
        'mount -i -t overlay -o "$0" x "$1" || exit; shift; exec "$@"',
        options,
        join(root, "point"),
      ];
      await job(["unshare", "--mount", "sh", ...mount], async () => {
        const { exitCode, stderr } = await call(tree, ["true"]);
        expect.soft(exitCode, options).toBe(busy ? 75 : 0);
        const sentence = / is in use by an overlay mount that process \d+ \(sleep\) sees: wait until it ends$/;
        if (busy) expect.soft(stderr.split("\n"), options).toEqual([expect.stringMatching(sentence)]);
      });
    }
  }
});

test("wrong use gives one sentence and exit status 125", async () => {
  const directory = scratch();
  const tree = await busyboxTree(join(directory, "img"));
  await symlink("img", join(directory, "link"));
  const cases: [string[], RegExp, string[]?][] = [
    [[], /needs a TREE and a COMMAND/],
    [["--unknown", "true"], /needs a TREE and a COMMAND/],
    [[tree], /needs a COMMAND to run in .*img/],
    [[join(directory, "none"), "true"], /the tree .*none is not a directory/],
    [[join(directory, "link/"), "true"], /the tree .*link is a symbolic link/],
    [["/", "true"], /the tree \/ is not a directory|host's own root/],
    [[tree, "true"], /starting a container on .*img requires root/, ["setpriv", "--reuid=65534", "--clear-groups"]],
    [[tree, "true"], /systemd-nspawn is not installed: run apt install systemd-container/, ["env", "PATH=/nowhere"]],
  ];
  for (const [args, message, under = []] of cases) {
    const [command, ...rest] = [...under, exe(), ...args] as [string, ...string[]];
    const { exitCode, stderr } = await execa(command, rest, { reject: false, stdin: "ignore" });
    expect.soft(exitCode, args.join(" ")).toBe(125);
    expect.soft(stderr).toMatch(message);
    expect.soft(stderr.split("\n")).toHaveLength(1);
  }
  const help = await execa(exe(), ["--help"]);
  expect(help.stdout).toMatch(/^Usage: nspawn-chroot TREE COMMAND/);
});

test("a systemd that is too old gives one sentence", async () => {
  const hide =
    'for d in /usr/lib/*-linux-gnu*/systemd /usr/lib/systemd; do mount -t tmpfs x "$d"; >"$d/libsystemd-shared-241.so"; done; exec "$0" "$1" true';
  const { exitCode, stderr } = await execa("unshare", ["--mount", "sh", "-c", hide, exe(), await busybox()], {
    reject: false,
  });
  expect([exitCode, stderr]).toEqual([
    125,
    "nspawn-chroot: needs systemd 249 or newer, but this host has 241: upgrade this host",
  ]);
});

test("the wrapper works through a link, and shellcheck has no complaint about both files", async () => {
  const link = join(scratch(), "chroot");
  await symlink(exe(), link);
  expect((await execa(link, [await busybox(), "hostname"], { stdin: "ignore" })).stdout).toBe("img");
  await execa("shellcheck", ["--external-sources", exe(), join(dirname(exe()), "nspawn-inside.sh")]);
});

test.each([true, false])("the wrapper serves community.general.chroot; pipelining %s", async (pipelining) => {
  const root = scratch();
  const tree = await debianTree(join(root, "img"));
  const link = { src: "../run/systemd/resolve/stub-resolv.conf", dest: "/etc/resolv.conf", state: "link", force: true };
  const tasks = [
    { copy: { content: "binary \u0001", dest: "/root/copied" } },
    { template: { src: "template.j2", dest: "/root/rendered" } },
    { file: link },
    { command: `getent hosts ${await archiveHost(tree)}`, changed_when: false },
  ];
  // Modules that only work inside the tree do not depend on pipelining.
  const more = [
    { apt: { update_cache: true } },
    { apt: { name: "cron" } },
    { systemd: { name: "cron", enabled: true } },
    { get_url: { url: "file:///root/copied", dest: "/tmp/fetched" } },
    { copy: { src: "/tmp/fetched", dest: "/root/second", remote_src: true } },
  ];
  const connection = {
    ansible_connection: "community.general.chroot",
    ansible_host: tree,
    ansible_chroot_exe: exe(),
    ansible_pipelining: pipelining,
    ansible_python_interpreter: "/usr/bin/python3",
  };
  await files(root, {
    "inventory.yml": JSON.stringify({ all: { hosts: { img: connection } } }),
    "template.j2": "I am {{ ansible_facts.hostname }}\n",
    "play.yml": JSON.stringify([{ hosts: "img", tasks: pipelining ? [...tasks, ...more] : tasks }]),
  });
  const env = withChrootConnection();
  const run = await ansible("ansible-playbook", ["-i", "inventory.yml", "play.yml"], { cwd: root, env });
  expect(run.stdout + run.stderr).toMatch(/failed=0 /);
  expect(run.exitCode).toBe(0);
  expect(await readFile(join(tree, "root/copied"), "utf8")).toBe("binary \u0001");
  expect(await readFile(join(tree, "root/rendered"), "utf8")).toBe("I am img\n");
  expect(await readlink(join(tree, "etc/resolv.conf"))).toBe("../run/systemd/resolve/stub-resolv.conf");
  await expect(access(join(tree, "usr/sbin/policy-rc.d"))).rejects.toThrow();
  if (!pipelining) return;
  expect(await readFile(join(tree, "root/second"), "utf8")).toBe("binary \u0001");
  await access(join(tree, "etc/systemd/system/multi-user.target.wants"));
  const again = await ansible("ansible-playbook", ["-i", "inventory.yml", "play.yml", "--check"], { cwd: root, env });
  expect(again.stdout).toMatch(/changed=[01] .*failed=0 /);
});

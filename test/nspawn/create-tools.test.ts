// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { chroot, type ModuleResult, mountsAnywhere, startCreation, stateOf } from "../support/create-host.ts";
import { processes, processesAt, until } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";

const root = join(scratch("file"), "root");

// Both tools give up after a minute; the other tests run meanwhile.
const lost = join(scratch("file"), "root");
const sockets: Socket[] = [];
const deaf = createServer((socket) => sockets.push(socket.on("error", () => {})));
let givenUp: Promise<[ModuleResult, ModuleResult]>;

beforeAll(async () => {
  await new Promise<void>((listening) => deaf.listen(0, "127.0.0.1", listening));
  const mirror = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}/debian`;
  givenUp = Promise.all([
    chroot({ name: "a", root: lost, suite: "bookworm", bootstrap: "mmdebstrap", mirror }),
    chroot({ name: "b", root: lost, suite: "bookworm", bootstrap: "debootstrap", mirror }),
  ]);
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  deaf.close();
});

describe.each(["mmdebstrap", "debootstrap"])("by %s", (bootstrap) => {
  const tree = join(root, bootstrap);
  let result: ModuleResult;

  beforeAll(async () => {
    // The package cron starts a daemon when installed.
    result = await chroot({ name: bootstrap, root, suite: "bookworm", bootstrap, packages: ["cron"] });
  });

  test("a Debian tree is made", () => {
    expect(result).toMatchObject({ exitCode: 0, changed: true, bootstrap, path: tree });
    expect(result.msg).toBe(`${tree} was made by ${bootstrap}`);
    expect(stateOf(root, bootstrap)).toEqual(["lock"]);
    expect(statSync(root).mode & 0o777).toBe(0o700);
    expect(statSync(tree).mode & 0o7777).toBe(0o755);
    const status = readFileSync(join(tree, "var/lib/dpkg/status"), "utf8");
    for (const name of ["cron", "dbus", "git", "python3", "python3-apt", "systemd"]) {
      expect(status).toContain(`Package: ${name}\nStatus: install ok installed\n`);
    }
  });

  test("the tree has no file of the host, and no cache", () => {
    for (const path of [
      "etc/hostname",
      "etc/resolv.conf",
      "debootstrap",
      "var/log/bootstrap.log",
      "usr/sbin/policy-rc.d",
    ]) {
      expect(existsSync(join(tree, path)), path).toBe(false);
    }
    expect(lstatSync(join(tree, "etc/machine-id")).size).toBe(0);
    expect(readdirSync(join(tree, "etc/apt/apt.conf.d"))).toEqual(["01autoremove", "70debconf"]);
    const cached = ["var/cache/apt", "var/cache/apt/archives", "var/lib/apt/lists"].flatMap((path) =>
      readdirSync(join(tree, path), { withFileTypes: true }).filter((entry) => entry.isFile() && entry.name !== "lock"),
    );
    expect(cached.map((entry) => entry.name)).toEqual([]);
  });

  test("no daemon was started during the creation", () => {
    expect(existsSync(join(tree, "run/crond.pid"))).toBe(false);
    expect(processesAt(tree)).toEqual([]);
    expect(mountsAnywhere(root)).toEqual([]);
  });
});

test("the first installed tool that knows the suite is taken", async () => {
  const planned = await chroot({ name: "new", root, suite: "trixie" }, { check: true });
  expect(planned).toMatchObject({ exitCode: 0, changed: true, bootstrap: "mmdebstrap" });
  expect(planned.shown).toContain('"suite": "trixie"');
  expect(existsSync(join(root, "new"))).toBe(false);
});

test.each([
  ["mmdebstrap", /^mmdebstrap failed: the mirror has no suite 'nosuch': .*\n/],
  [
    "debootstrap",
    /^debootstrap of this host does not know the suite 'nosuch': check the suite's name, or use mmdebstrap /,
  ],
])("%s with an unknown suite", async (bootstrap, message) => {
  const result = await chroot({ name: "nosuch", root, suite: "nosuch", bootstrap });
  expect(result).toMatchObject({ exitCode: 2, changed: false, msg: expect.stringMatching(message) });
  expect(existsSync(join(root, "nosuch"))).toBe(false);
  expect(stateOf(root, "nosuch").filter((name) => name !== "lock")).toEqual([]);
});

test("a suite is needed", async () => {
  const result = await chroot({ name: "none", root });
  expect(result.msg).toBe("the suite is not set, and a bootstrap tool needs one: set it, for example to 'trixie'");
});

describe.each([
  ["plain", {}],
  ["pipelining", { ANSIBLE_PIPELINING: "1" }],
])("SIGKILL of ansible-playbook (%s)", (how, env) => {
  test("leaves no process, no mount and no tree, and the next run removes the leftovers", async () => {
    const name = `killed-${how}`;
    const run = startCreation({ name, root, suite: "bookworm" }, env);
    const proc = join(root, ".nspawn-runner", name, "staged/proc");
    await until(() => mountsAnywhere(join(root, ".nspawn-runner", name)).length > 0);
    expect(existsSync(proc)).toBe(true);
    process.kill(run.pid as number, "SIGKILL");
    await run;
    await until(() => processesAt(join(root, ".nspawn-runner", name)).length === 0);
    await until(() => mountsAnywhere(join(root, ".nspawn-runner", name)).length === 0);
    expect(existsSync(join(root, name))).toBe(false);
    expect(stateOf(root, name)).toContain("staged");
    const next = await chroot({
      name,
      root,
      command: ["/bin/cp", "--archive", `${join(root, "mmdebstrap")}/.`, "{tree}"],
    });
    expect(next).toMatchObject({ exitCode: 0, changed: true });
    expect(stateOf(root, name)).toEqual(["lock"]);
  });
});

test("a daemon that a package script starts ends with the creation, also in a chroot", async () => {
  const directory = scratch();
  const marker = `sleep 45${process.pid}`;
  const script = `#!/bin/sh\nsetsid ${marker} </dev/null >/dev/null 2>&1 &\necho $! >/started\n`;
  await execa("mkdir", ["-p", join(directory, "deb/DEBIAN")]);
  await execa("tee", [join(directory, "deb/DEBIAN/postinst")], { input: script });
  await execa("chmod", ["755", join(directory, "deb/DEBIAN/postinst")]);
  const control =
    "Package: starter\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: starts a daemon\n";
  await execa("tee", [join(directory, "deb/DEBIAN/control")], { input: control });
  await execa("dpkg-deb", ["--build", join(directory, "deb"), join(directory, "starter.deb")]);
  const install = `cp -a ${join(root, "mmdebstrap")}/. "$0" && cp ${directory}/starter.deb "$0" && chroot "$0" dpkg -i /starter.deb`;
  const result = await chroot({ name: "starter", root, command: ["/bin/sh", "-c", install, "{tree}"] });
  expect(result).toMatchObject({ exitCode: 0, changed: true });
  // The script ran.
  expect(readFileSync(join(root, "starter/started"), "utf8")).toMatch(/^\d+/);
  expect(processesAt(marker)).toEqual([]);
});

test("a create command gets little of root's environment and power, and namespaces of its own", async () => {
  const directory = scratch();
  const show =
    "env; grep CapEff /proc/self/status; for ns in mnt pid ipc uts user; do readlink /proc/self/ns/$ns; done";
  const command = [
    "/bin/sh",
    "-c",
    `{ ${show}; } >${directory}/shown; mkdir -p $0/usr/bin; cp /bin/busybox $0/usr/bin/sh; ln -s usr/bin $0/bin`,
    "{tree}",
  ];
  const env = { SECRET_TOKEN: "1", http_proxy: "http://proxy.example.org", SSH_AUTH_SOCK: "/x" };
  expect((await chroot({ name: "shown", root, command }, { env })).exitCode).toBe(0);
  const shown = readFileSync(join(directory, "shown"), "utf8");
  const names = [...shown.matchAll(/^(\w+)=/gm)].map(([, name]) => name).sort();
  expect(names).toEqual(expect.arrayContaining(["HOME", "LC_ALL", "PATH", "http_proxy"]));
  // The shell itself adds PWD, and the test's own environment can have the others.
  expect(
    names.filter((name) => !/^(HOME|LC_ALL|OLDPWD|PATH|PWD|SHLVL|TMPDIR|_|\w+_proxy|[A-Z]+_PROXY)$/.test(name ?? "")),
  ).toEqual([]);
  const capabilities = BigInt(`0x${/CapEff:\s+(\w+)/.exec(shown)?.[1]}`);
  const has = (number: bigint) => ((capabilities >> number) & 1n) === 1n;
  // CAP_SYS_ADMIN and CAP_MKNOD; CAP_NET_ADMIN, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT and CAP_SYS_TIME.
  expect([21n, 27n, 12n, 16n, 17n, 22n, 25n].map(has)).toEqual([true, true, false, false, false, false, false]);
  const own = shown.match(/^\w+:\[\d+\]$/gm)?.map((namespace) => {
    const [kind] = namespace.split(":");
    return readlinkSync(`/proc/self/ns/${kind}`) !== namespace;
  });
  expect(own).toEqual([true, true, true, true, false]);
});

describe("a mirror with a login", () => {
  test.each(["mmdebstrap", "debootstrap"])("%s logs in", async (bootstrap) => {
    const logins: string[] = [];
    const mirror = createHttpServer(({ headers }, response) => {
      if (headers.authorization) logins.push(headers.authorization);
      response.writeHead(headers.authorization ? 404 : 401, { "WWW-Authenticate": "Basic realm=x" }).end();
    });
    await new Promise<void>((listening) => mirror.listen(0, "127.0.0.1", listening));
    onTestFinished(() => void mirror.close());
    const url = `http://me:s3%2Fcret@127.0.0.1:${(mirror.address() as AddressInfo).port}/debian`;
    const env = { no_proxy: "127.0.0.1" };
    const result = await chroot({ name: "login", root, suite: "bookworm", bootstrap, mirror: url }, { env });
    expect(result.msg).toMatch(/failed: the mirror has no suite 'bookworm'/);
    expect(logins).toContain(`Basic ${Buffer.from("me:s3/cret").toString("base64")}`);
    expect(JSON.stringify(result)).not.toMatch(/s3.+cret/);
    expect(stateOf(root, "login")).toEqual(["lock"]);
  });

  test("no process shows the password while the tool runs", async () => {
    const bin = scratch();
    const tool = `#!/bin/sh\necho "$*" >${bin}/started.new\nmv ${bin}/started.new ${bin}/started\nexec sleep 600\n`;
    await writeFile(join(bin, "mmdebstrap"), tool, { mode: 0o755 });
    const params = { name: "hidden", root, suite: "bookworm", mirror: "http://me:unseen1@mirror.example.org/debian" };
    const run = startCreation(params, { PATH: `${bin}:${process.env["PATH"]}` });
    onTestFinished(async () => {
      run.kill("SIGKILL");
      await run;
      await until(() => processesAt(join(root, ".nspawn-runner/hidden")).length === 0);
    });
    await until(() => existsSync(join(bin, "started")));
    expect(readFileSync(join(bin, "started"), "utf8")).toContain("http://mirror.example.org/debian");
    expect(processes("mirror.example.org").length).toBeGreaterThan(0);
    expect(processes("unseen1")).toEqual([]);
  });
});

test("both tools give up on a mirror that does not answer", async () => {
  const [byApt, byWget] = await givenUp;
  expect(byApt.msg).toMatch(/^mmdebstrap failed: the mirror does not answer: /);
  expect(byWget.msg).toMatch(/^debootstrap failed: the mirror has no suite 'bookworm' or does not answer/);
  expect(readdirSync(lost)).toEqual([".nspawn-runner"]);
  expect([...stateOf(lost, "a"), ...stateOf(lost, "b")]).toEqual(["lock", "lock"]);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The doctor on a host that is ready, and on hosts with one problem each.
// Files of the real host are covered by bind mounts that the doctor's run alone sees.

import { chmod, chown, mkdir, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, onTestFinished, test } from "vitest";
import { type AnsibleOptions, ansible, asNobody } from "../support/ansible.ts";
import { fingerprint } from "../support/listing.ts";
import { loopFileSystem } from "../support/loop.ts";
import { playbook, type RunnerHost, runnerHost } from "../support/runner-host.ts";
import { files, scratch } from "../support/scratch.ts";
import { notMapped, unmappable } from "../support/unmappable.ts";

type Row = [check: string, result: string, found: string, remedy: string];

/** Paths of the host, each with the file that covers it. */
type Covers = Record<string, string>;

/**
 * Runs a command where only version 2 of control groups is mounted: this machine may have version 1 too. The command has a group of its own,
 * since systemd-nspawn makes groups below: in the root group, every later container would miss the same groups of version 1, and end.
 */
const withControlGroups = `mount -t cgroup2 cgroup /sys/fs/cgroup || exit
  [ ! -d /run/systemd/system ] || exec "$@"
  group=/sys/fs/cgroup/doctor-$$
  mkdir "$group" && echo $$ >"$group/cgroup.procs" || exit
  "$@"
  status=$?
  echo $$ >/sys/fs/cgroup/cgroup.procs
  find "$group" -depth -type d -exec rmdir {} +
  exit "$status"`;

interface Doctor {
  exitCode: number;
  rows: Row[];
  text: string;
}

const configuration = "[defaults]\ninject_facts_as_vars = False\n";
const tools: Covers = { "/usr/bin/mmdebstrap": "/dev/null", "/usr/sbin/debootstrap": "/dev/null" };

/** A host that is ready: one image exists, and the playbook of the other one can make it. */
async function readyHost(contents: Record<string, string> = {}, root?: string): Promise<RunnerHost> {
  const vars = "nspawn_runner_bootstrap: command, nspawn_runner_create_command: [/bin/true]";
  const plays = { "aa.yml": playbook("aa", "- debug:", vars), "bb.yml": playbook("bb", "- debug:", vars) };
  const host = await runnerHost({ "ansible.cfg": configuration, ...plays, ...contents }, ["aa"], "test", root);
  await files(host.directory, {
    "host/resolv.conf": "nameserver 127.0.0.53\n",
    "host/filesystems": "nodev\tproc\nnodev\toverlay\n\text4\n",
  });
  await chmod(host.root, 0o700);
  return host;
}

async function doctor(
  host: RunnerHost,
  { covers = {}, under = [], args = [], env }: Partial<AnsibleOptions> & { covers?: Covers; args?: string[] } = {},
): Promise<Doctor> {
  const all = {
    "/etc/resolv.conf": join(host.directory, "host/resolv.conf"),
    "/proc/filesystems": join(host.directory, "host/filesystems"),
    ...covers,
  };
  const binds = Object.entries(all).map(([path, source]) => `mount --bind '${source}' '${path}'`);
  const script = `${binds.map((bind) => `${bind} || exit\n`).join("")}${withControlGroups}`;
  const { exitCode, stdout, stderr } = await host.run(["nspawn.runner.doctor", ...args], {
    under: ["unshare", "--mount", "/bin/sh", "-c", script, "sh", ...under],
    ...(env && { env }),
  });
  return read(exitCode, stdout, stderr);
}

function read(exitCode: number, stdout: string, stderr: string): Doctor {
  const text = stdout + stderr;
  expect(text).not.toMatch(/Traceback|An exception occurred/);
  const lines = stdout.slice(stdout.indexOf("\ncheck ")).split("\n").slice(2);
  const rows = lines
    .slice(
      0,
      lines.findIndex((line) => /^(ok|changed|fatal|skipping): /.test(line)),
    )
    .map((line) => line.split(/ {2,}/));
  return {
    exitCode,
    text,
    rows: rows.map(([check = "", result = "", found = "", remedy = ""]) => [check, result, found, remedy]),
  };
}

/** The rows that are not ok. Checks the exit status against these rows. */
async function wrong(...run: Parameters<typeof doctor>): Promise<Row[]> {
  const { exitCode, rows, text } = await doctor(...run);
  expect(rows.length, text).toBeGreaterThan(10);
  expect(exitCode, text).toBe(rows.some(([, result]) => result === "problem") ? 2 : 0);
  return rows.filter(([, result]) => result !== "ok");
}

/** A package archive, as far as the doctor asks: each suite has a Release file. Returns the archive's URL. */
async function smallMirror(...suites: readonly string[]): Promise<string> {
  const known = suites.map((suite) => `/debian/dists/${suite}/Release`);
  const server = createServer(({ url = "" }, answer) => answer.writeHead(known.includes(url) ? 200 : 404).end());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`;
}

const found = ({ rows }: Doctor, check: string): string | undefined => rows.find(([name]) => name === check)?.[2];

async function state(host: RunnerHost, content: object | string): Promise<void> {
  const whole =
    typeof content === "string" ? content : JSON.stringify({ format: 1, image: "aa", generations: [], ...content });
  await files(host.root, { ".nspawn-runner/aa/state.json": whole });
  await chmod(host.root, 0o700);
}

test("on a host that is ready every line is ok, also with --check, and nothing is written", async () => {
  const host = await readyHost();
  await state(host, { last_run: { started: "2026-11-24T23:14:31Z", result: "published" } });
  const list = () => [fingerprint(host.root), fingerprint(join(host.directory, "aa.yml"))];
  const before = list();
  for (const args of [[], ["--check"], ["--tags", "nothing"]]) {
    const result = await doctor(host, { args });
    expect(result.exitCode, result.text).toBe(0);
    expect(result.rows.filter(([, word]) => word !== "ok")).toEqual([]);
    expect(result.rows.map(([check]) => check)).toEqual([
      ...[
        "user",
        "ansible",
        "inventory",
        "playbooks",
        "files",
        "systemd-nspawn",
        "container",
        "connection",
        "facts",
        "bootstrap",
      ],
      ...["clock", "DNS", "overlay", "cgroups", "forks", "root directory", "user namespace", "copies", "jobs"],
      ...["image aa", "image bb"],
    ]);
    expect([found(result, "image aa"), found(result, "image bb")]).toEqual(["exists", "is created by the next run"]);
    expect(found(result, "bootstrap")).toMatch(
      /^mmdebstrap \(any suite\), debootstrap \(\d\d+ suites, in \/usr\/share\/debootstrap\/scripts\)$/,
    );
    expect(result.text).toMatch(/changed=0/);
  }
  expect(list()).toEqual(before);
});

test("--limit leaves out the other images, and no check of the host", async () => {
  const host = await readyHost({ "bb.yml": playbook("bb", "- debug:", "nspawn_runner_keep_days: much") });
  const all = await doctor(host);
  expect(all.exitCode).toBe(2);
  const { exitCode, rows, text } = await doctor(host, { args: ["--limit", "aa"] });
  expect(exitCode, text).toBe(0);
  expect(rows[2]).toEqual(["inventory", "ok", "1 image", ""]);
  const checks = ({ rows }: Pick<Doctor, "rows">) => rows.map(([check]) => check);
  expect(checks({ rows })).toEqual(checks(all).filter((check) => check !== "image bb"));
  const bad = await doctor(host, { args: ["--limit", "bb"] });
  expect(bad.exitCode).toBe(2);
  expect(bad.rows.filter(([, result]) => result !== "ok")).toEqual([
    ["image bb", "problem", expect.stringContaining("must be a whole number"), `fix ${host.directory}/bb.yml`],
  ]);
});

test("facts of the images change no line", async () => {
  const host = await readyHost();
  const env = { ANSIBLE_CACHE_PLUGIN: "jsonfile", ANSIBLE_CACHE_PLUGIN_CONNECTION: join(host.directory, "facts") };
  const names = ["root", "path", "playbook", "error", "bootstrap", "tarball"].map((name) => `nspawn_runner_${name}`);
  const fact = JSON.stringify(Object.fromEntries([...names, "ansible_connection"].map((name) => [name, "/evil"])));
  // The names of the cache's files in ansible-core 2.14 and 2.19.
  for (const image of ["aa", "bb", "localhost"])
    await files(host.directory, { [`facts/${image}`]: fact, [`facts/s1_${image}`]: fact });
  await writeFile(join(host.directory, "ansible.cfg"), "");
  expect((await wrong(host, { env })).map(([check]) => check)).toEqual(["facts"]);
});

describe("a host with a problem", () => {
  test("not root", async () => {
    const host = await readyHost();
    const home = scratch();
    await chown(home, 65534, 65534);
    const rows = await wrong(host, { under: asNobody, env: { HOME: home } });
    expect(rows).toContainEqual(["user", "problem", "user 65534", expect.stringContaining("as root")]);
  });

  test.each([
    ["none", []],
    ["a bad one", ["-i", "bad/nspawn_runner.yml"]],
  ])("an inventory that lists no images: %s", async (_name, inventory) => {
    const host = await readyHost({ "bad/nspawn_runner.yml": "plugin: nspawn.runner.chroots\nroots: []\n" });
    const run = async (root: string) => {
      const { exitCode, stdout, stderr } = await ansible("ansible-playbook", [...inventory, "nspawn.runner.doctor"], {
        cwd: host.directory,
        env: { NSPAWN_RUNNER_ROOT: root },
      });
      return read(exitCode, stdout, stderr);
    };
    const { exitCode, rows } = await run(host.root);
    expect(exitCode).toBe(2);
    expect(rows).toContainEqual(["inventory", "problem", "lists no images", expect.stringContaining("-i")]);
    expect(rows).toContainEqual(["root directory", "ok", host.root, ""]);
    const none = join(host.directory, "no/where");
    expect((await run(none)).rows).toContainEqual(["root directory", "ok", `${none} is created by the first run`, ""]);
  });

  test("a container that does not start", async () => {
    const host = await readyHost();
    const program = join(host.directory, "host/nspawn");
    await writeFile(program, "#!/bin/sh\n[ $# = 1 ] && echo 'systemd 257' || echo 'No namespaces here.'\n", {
      mode: 0o755,
    });
    expect(await wrong(host, { covers: { "/usr/bin/systemd-nspawn": program } })).toEqual([
      [
        "container",
        "problem",
        "none starts: No namespaces here.",
        expect.stringContaining("systemd-nspawn --volatile=yes"),
      ],
    ]);
  });

  test("archives of the images whose names the host's containers cannot resolve", async () => {
    const made = (image: string, vars: string) => ({
      [`${image}.yml`]: playbook(image, "- debug:", `nspawn_runner_chroot_suite: bookworm${vars}`),
    });
    const host = await readyHost({
      ...made("aa", ""),
      ...made("cc", ", nspawn_runner_mirror: 'https://mirror.example.org:8080/debian'"),
      ...made("dd", ", nspawn_runner_mirror: 'http://other.example.org/debian', nspawn_runner_network: none"),
      ...made("ee", ", nspawn_runner_mirror: 'http://127.0.0.1/debian'"),
    });
    // No name server answers at this address.
    await writeFile(join(host.directory, "host/resolv.conf"), "nameserver 127.1.2.3\n");
    const apt = join(host.directory, "host/apt-get");
    await writeFile(apt, "#!/bin/sh\n[ $1 = indextargets ] && echo http://own.example.org/debian\n", { mode: 0o755 });
    const found = "containers do not find mirror.example.org, own.example.org by 127.1.2.3";
    expect(await wrong(host, { covers: { "/usr/bin/apt-get": apt } })).toEqual([
      ["DNS", "warning", found, expect.stringContaining("fix /etc/resolv.conf")],
      ...["https://mirror.example.org:8080", "http://other.example.org", "http://127.0.0.1"].map((mirror) => [
        ...["mirror", "warning", expect.stringContaining(`${mirror}/debian cannot be reached from this host: `)],
        expect.stringContaining("nspawn_runner_mirror"),
      ]),
    ]);
  });

  test("facts become variables, by an ansible.cfg that does not forbid this", async () => {
    const host = await readyHost({ "ansible.cfg": "[defaults]\nforks = 2\n" });
    const found = "in a run in place, a fact from a tree can override a variable of the inventory";
    const remedy = `write inject_facts_as_vars = False into [defaults] of ${join(host.directory, "ansible.cfg")}`;
    expect(await wrong(host)).toEqual([["facts", "warning", found, remedy]]);
    expect(await wrong(host, { env: { ANSIBLE_INJECT_FACT_VARS: "0" } })).toEqual([]);
  });

  test("a connection that runs tasks on the host, and a playbook that every user can write", async () => {
    const host = await readyHost({ "host_vars/aa.yml": "ansible_connection: local\n" });
    await chmod(join(host.directory, "aa.yml"), 0o666);
    const remedy = "use nspawn.runner.nspawn or community.general.chroot";
    expect(await wrong(host)).toEqual([
      [
        "files",
        "problem",
        expect.stringContaining(`can write to ${host.directory}/aa.yml`),
        expect.stringContaining("chmod"),
      ],
      ["connection", "problem", "local runs the tasks of images outside of their trees", remedy],
      ["image aa", "problem", expect.stringContaining(`local in ${host.directory}/host_vars/aa.yml:1`), remedy],
    ]);
  });

  test("no bootstrap tool, and no such suite: a warning for an image that is there, and a problem for one that is to be made", async () => {
    const mirror = await smallMirror("bookworm");
    const suite = (image: string, name = "bookworm") =>
      playbook(image, "- debug:", `nspawn_runner_chroot_suite: ${name}, nspawn_runner_mirror: '${mirror}'`);
    const host = await readyHost({ "aa.yml": suite("aa"), "bb.yml": suite("bb") });
    expect(await wrong(host, { covers: tools })).toEqual([
      ["bootstrap", "warning", "no tool is installed", "run apt install mmdebstrap"],
      ["image aa", "warning", "mmdebstrap or debootstrap is not installed", "run apt install mmdebstrap"],
      ["image bb", "problem", "mmdebstrap or debootstrap is not installed", "run apt install mmdebstrap"],
    ]);
    const ready = await doctor(host);
    expect(ready.rows.filter(([, result]) => result !== "ok")).toEqual([]);
    expect(found(ready, "mirror")).toBe(`${mirror} has bookworm`);

    // The suites that the mirror lacks, a name that does not count, and a play that does not say that it makes an image.
    await files(host.directory, {
      "aa.yml": suite("aa", "bokworm"),
      "bb.yml": suite("bb", "bookwurm"),
      "cc.YML": suite("cc"),
      "dd.yml": "- hosts: dd\n  tasks: []\n",
      "other.yml": "- hosts: localhost\n  tasks: []\n",
    });
    await chmod(join(host.directory, "other.yml"), 0o666);
    const remedy = (image: string) =>
      `write another nspawn_runner_chroot_suite or nspawn_runner_mirror into ${host.directory}/${image}.yml`;
    expect(await wrong(host)).toEqual([
      ["playbooks", "warning", expect.stringContaining("/cc.YML is ignored"), "rename it to cc.yml"],
      ["playbooks", "warning", expect.stringContaining("/dd.yml is no image: dd has no tree"), expect.any(String)],
      ["files", "problem", expect.stringContaining("other.yml"), `run chmod go-w ${host.directory}/other.yml`],
      ["mirror", "warning", `${mirror} has no suite bokworm`, remedy("aa")],
      ["mirror", "problem", `${mirror} has no suite bookwurm`, remedy("bb")],
    ]);
  });
});

describe("a root directory with a problem", () => {
  test("written by the group", async () => {
    const host = await readyHost();
    await chmod(host.root, 0o770);
    expect(await wrong(host)).toEqual([
      ["root directory", "problem", expect.stringContaining(host.root), `run chmod go-w ${host.root}`],
    ]);
  });

  test("owners of files cannot be mapped: a problem, and a warning where the images have no user namespace", async () => {
    const directory = join(await unmappable(), "images");
    const host = await readyHost({}, directory);
    const remedy = expect.stringContaining("set nspawn_runner_user_namespace: false");
    expect(await wrong(host)).toEqual([["user namespace", "problem", notMapped(directory), remedy]]);
    const vars =
      "nspawn_runner_bootstrap: command, nspawn_runner_create_command: [/bin/true], nspawn_runner_user_namespace: false";
    const without = { "aa.yml": playbook("aa", "- debug:", vars), "bb.yml": playbook("bb", "- debug:", vars) };
    const place = join(await unmappable(), "images");
    expect(await wrong(await readyHost(without, place))).toEqual([
      ["user namespace", "warning", "2 of 2 images have none", expect.any(String)],
      [
        "jobs",
        "warning",
        `no job starts on aa, bb: ${notMapped(place)}`,
        expect.stringContaining("set nspawn_runner_job_user_namespace: false"),
      ],
    ]);
    const bind =
      "nspawn_runner_bootstrap: command, nspawn_runner_create_command: [/bin/true], nspawn_runner_binds: [/proc/sys]";
    expect(await wrong(await readyHost({ "aa.yml": playbook("aa", "- debug:", bind) }))).toEqual([
      ["image aa", "problem", notMapped("/proc/sys"), remedy],
    ]);
  });

  test("a plain copy for which there is no room", async () => {
    const mount = await loopFileSystem("ext4", 128);
    const host = await readyHost({}, join(mount, "images"));
    expect(found(await doctor(host), "copies")).toMatch(/^plain; \d+ MiB are free$/);
    const half = join(host.root, "aa/half");
    await execa("dd", ["if=/dev/zero", `of=${half}`, "bs=1M", "count=60", "status=none"]);
    expect(await wrong(host)).toEqual([
      [
        "copies",
        "problem",
        expect.stringContaining(join(mount, "images")),
        expect.stringMatching(/^free \d+ MiB there/),
      ],
    ]);
    // The disk is as full as before, but the tree is small.
    await rename(half, join(mount, "half"));
    expect(await wrong(host)).toEqual([]);
  });

  test("btrfs with the program makes snapshots, without the program a warning; xfs shares blocks", async () => {
    const host = await readyHost({}, join(await loopFileSystem("btrfs", 128), "images"));
    expect(found(await doctor(host), "copies")).toMatch(/^snapshots, on btrfs; \d+ MiB are free$/);
    const { stdout } = await execa("sh", ["-c", "readlink -f $(command -v btrfs)"], {
      env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    });
    expect(await wrong(host, { covers: { [stdout]: "/dev/null" } })).toEqual([
      ["copies", "warning", expect.stringContaining("no snapshots"), "run apt install btrfs-progs"],
    ]);
    const other = await readyHost({}, join(await loopFileSystem("xfs", 320), "images"));
    expect(found(await doctor(other), "copies")).toMatch(/^share their blocks; \d+ MiB are free$/);
  });
});

describe("an image with a problem", () => {
  test("a playbook with a mistake, and a playbook that does not say how the image is made", async () => {
    const host = await readyHost({
      "aa.yml": playbook("aa", "- debug:", "nspawn_runner_chroot_siute: sid"),
      "bb.yml": playbook("bb", "- debug:", "nspawn_runner_keep_days: 3"),
      "cc.yml": playbook("cc", "- debug:", "nspawn_runner_keep_days: much"),
    });
    await mkdir(join(host.root, "dd"));
    const { exitCode, rows } = await doctor(host);
    expect(exitCode).toBe(2);
    expect(rows.filter(([check]) => check.startsWith("image"))).toEqual([
      ["image aa", "problem", expect.stringContaining("nspawn_runner_chroot_siute"), `fix ${host.directory}/aa.yml`],
      [
        "image bb",
        "problem",
        expect.stringContaining("does not say how"),
        expect.stringContaining("nspawn_runner_chroot_suite"),
      ],
      ["image cc", "problem", expect.stringContaining("must be a whole number"), `fix ${host.directory}/cc.yml`],
      ["image dd", "ok", "has no playbook, so no maintenance changes it", ""],
    ]);
  });

  test("held, a failed last run, and a damaged record", async () => {
    const host = await readyHost();
    const hold = { since: "2026-11-24T08:00:00Z", generation: "20261123T231500Z" };
    const log = host.state("aa", "last.log");
    await state(host, { hold, last_run: { started: "2026-11-23T23:15:00Z", result: "failed", msg: "no", log } });
    expect(await wrong(host)).toEqual([
      [
        "image aa",
        "warning",
        expect.stringMatching(`^held since ${hold.since}, for \\d+ (day|hour|minute)s?$`),
        "run ansible-playbook -i nspawn_runner.yml nspawn.runner.release --limit aa",
      ],
      ["image aa", "warning", "the run of 2026-11-23T23:15:00Z failed", `see ${log}`],
    ]);
    await state(host, "{");
    expect(await wrong(host)).toEqual([
      [
        "image aa",
        "problem",
        expect.stringContaining("state.json is not valid JSON"),
        expect.stringContaining("backup"),
      ],
    ]);
  });
});

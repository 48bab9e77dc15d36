// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole maintenance runs with broken disks, records and trees: each run ends with one sentence, or with a whole image.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa, execaSync } from "execa";
import { describe, expect, test } from "vitest";
import type { AnsibleResult } from "../support/ansible.ts";
import { fingerprint } from "../support/listing.ts";
import { type FileSystem, loopFileSystem } from "../support/loop.ts";
import { processes, until } from "../support/process.ts";
import { playbook, type RunnerHost, runnerHost, sentence, started, summary } from "../support/runner-host.ts";
import { files, mountsBeneath } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

const write = (word: string) => `- raw: echo ${word} >/etc/word`;
const keepNone = "nspawn_runner_keep_generations: 0, nspawn_runner_keep_days: 0";
const rewrite = (host: RunnerHost, image: string, tasks: string, vars?: string) =>
  writeFile(join(host.directory, `${image}.yml`), playbook(image, tasks, vars));
const word = (host: RunnerHost, image = "aa") => readFileSync(join(host.root, image, "etc/word"), "utf8").trim();
const generations = (host: RunnerHost, image = "aa") => readdirSync(host.state(image, "generations")).sort();
const text = ({ stdout, stderr }: AnsibleResult) => stdout + stderr;

function expectPublished(result: AnsibleResult, image: string): void {
  expect(sentence(result, image), text(result).slice(-4000)).toBe("");
  expect(summary(result, image)[0]).toBe("published");
  expectCalm(result);
}

/** The run failed for this image with a sentence, and did not crash. */
function expectRefused(result: AnsibleResult, image: string, why: RegExp, word = "failed"): void {
  expect(sentence(result, image)).toMatch(why);
  expect(summary(result, image)[0]).toBe(word);
  expect(result.exitCode).toBe(2);
  expectCalm(result);
}

const expectCalm = (result: AnsibleResult) =>
  expect(text(result)).not.toMatch(/Traceback|An exception occurred|MODULE FAILURE|unexpected/i);

describe("a disk", () => {
  test("that became read-only fails every image, and a later run works", async () => {
    const mount = await loopFileSystem("ext4", 60);
    const playbooks = { "aa.yml": playbook("aa", write("one")), "bb.yml": playbook("bb", write("one")) };
    const host = await runnerHost(playbooks, ["aa", "bb"], "test", join(mount, "images"));
    expect((await host.run(["site.yml", "--limit", "aa"])).exitCode).toBe(0);
    await execa("mount", ["-o", "remount,ro", mount]);
    await rewrite(host, "aa", write("two"));
    const [before, record] = [fingerprint(host.root), readFileSync(host.state("aa", "state.json"), "utf8")];
    const [refused, back, listed] = await Promise.all([
      host.run(["site.yml"]),
      host.run(["nspawn.runner.rollback", "--limit", "aa"]),
      host.run(["nspawn.runner.generations"]),
    ]);
    expectRefused(refused, "aa", /: .*\/aa.* Read-only file system: remount the file system read-write$/);
    // The image has a tree, and no private state yet.
    expectRefused(refused, "bb", /: .*\/bb.* Read-only file system: remount the file system read-write$/);
    expect(back.exitCode).toBe(2);
    expect(text(back)).toMatch(/"msg": "[^"]*\/aa[^"]* Read-only file system: remount [^"]*"/);
    expectCalm(back);
    expect(listed.exitCode).toBe(0);
    expect([fingerprint(host.root), readFileSync(host.state("aa", "state.json"), "utf8")]).toEqual([before, record]);
    await execa("mount", ["-o", "remount,rw", mount]);
    const after = await host.run(["site.yml"]);
    expect(after.exitCode).toBe(0);
    expect([word(host), word(host, "bb")]).toEqual(["two", "one"]);
  });

  test("that is filled by the playbook, or full from the start, fails the run and harms no tree", async () => {
    const sizes = { ext4: 60, btrfs: 120, xfs: 320 };
    const kinds = ["ext4", "btrfs", "xfs"] as const;
    const host = await runnerHost({}, []);
    const disks: { kind: FileSystem; mount: string; tree: string; directory: string; staged: string }[] = [];
    // One inventory file for each root directory.
    for (const kind of kinds) {
      const mount = await loopFileSystem(kind, sizes[kind]);
      const root = join(mount, "images");
      const tree = await busyboxTree(join(root, kind));
      const directory = await files(join(host.directory, kind), {
        "nspawn_runner.yml": `plugin: nspawn.runner.chroots\nroot: ${root}\nplaybook_dirs: [.]\n`,
      });
      disks.push({ kind, mount, tree, directory, staged: join(root, ".nspawn-runner", kind, "staged") });
    }
    const inventories = disks.flatMap(({ directory }) => ["-i", join(directory, "nspawn_runner.yml")]);
    const run = async (tasks: string) => {
      for (const { kind, directory } of disks) await writeFile(join(directory, `${kind}.yml`), playbook(kind, tasks));
      return host.run([...inventories, "site.yml"]);
    };
    const content = (tree: string) => readFileSync(join(tree, "etc/word"), "utf8").trim();
    expect((await run(write("one"))).exitCode).toBe(0);

    // The playbook ignores the full disk.
    const fill = "echo two >/etc/word; dd if=/dev/zero of=/filler bs=64k; dd if=/dev/zero of=/rest bs=512; true";
    const trees = disks.map(({ tree }) => fingerprint(tree));
    const filled = await run(`- raw: "${fill}"`);
    for (const [index, { kind, tree, staged }] of disks.entries()) {
      // Never both: an image that is reported as failed is not published.
      if (summary(filled, kind)[0] === "published") expect(content(tree)).toBe("two");
      else {
        expectRefused(filled, kind, /No space left on device|the file system of .* is full/);
        expect(fingerprint(tree)).toBe(trees[index]);
        expect(existsSync(staged)).toBe(false);
      }
    }

    const fillHost = 'for size in 64k 512; do dd if=/dev/zero of="$0/filler$size" bs=$size; done; true';
    for (const { mount } of disks) await execa("sh", ["-c", fillHost, mount]);
    const before = disks.map(({ tree }) => fingerprint(tree));
    const full = await run(write("three"));
    for (const [index, { kind, mount, tree }] of disks.entries()) {
      // A copy that shares blocks may leave room for a word.
      if (summary(full, kind)[0] === "published") expect(content(tree)).toBe("three");
      else {
        expectRefused(full, kind, /No space left on device|MiB free|is full|not enough/);
        expect(fingerprint(tree)).toBe(before[index]);
        // The reserve has made room for the record and the log; without one, which the run before can have used, the next run records.
        const state = (file: string) => join(mount, "images/.nspawn-runner", kind, file);
        const { last_run } = JSON.parse(readFileSync(state("state.json"), "utf8"));
        const [told] = last_run.msg.split("\n");
        expect(last_run, kind).toMatchObject({ result: "failed" });
        if (!sentence(full, kind).includes("; the next run records this, since ")) {
          expect(sentence(full, kind)).toContain(told);
          expect(readFileSync(state("last.log"), "utf8")).toContain(told);
        }
        // No part of a file is left.
        expect(readdirSync(state(".")).filter((name) => name.endsWith(".part"))).toEqual([]);
      }
    }
    expect(summary(full, "ext4")[0]).toBe("failed");

    const room = 'rm -f "$0"/filler* "$0"/images/*/filler "$0"/images/*/rest';
    for (const { mount } of disks) await execa("sh", ["-c", room, mount]);
    const after = await run(write("four"));
    for (const { kind, tree } of disks) {
      expectPublished(after, kind);
      expect(content(tree)).toBe("four");
    }
  });
});

test("each problem of an image's records or paths gives one sentence, and no file is overwritten", async () => {
  const plain = { format: 1, generations: [] };
  const json = (content: object) => (host: RunnerHost, image: string) =>
    writeFileSync(host.state(image, "state.json"), JSON.stringify({ image, ...content }));
  const generation = { id: "20260101T000000Z" };
  const damages: [string, RegExp, (host: RunnerHost, image: string) => unknown][] = [
    [
      "torn",
      /is not valid JSON: restore/,
      (host, image) => writeFileSync(host.state(image, "state.json"), '{"format": 1, "ima'),
    ],
    ["empty", /is not valid JSON: restore/, (host, image) => writeFileSync(host.state(image, "state.json"), "")],
    [
      "binary",
      /is not valid JSON/,
      (host, image) => writeFileSync(host.state(image, "state.json"), Buffer.from([0xff, 0, 0xfe])),
    ],
    ["newer", /was written by a newer version of nspawn.runner: install/, json({ ...plain, format: 2 })],
    ["others", /is of the image 'other', not of others/, json({ ...plain, image: "other" })],
    ["nohold", /state.json is damaged: restore/, json({ ...plain, hold: "long" })],
    ["holding", /state.json is damaged: restore/, json({ ...plain, hold: { since: 4 } })],
    ["nulls", /state.json is damaged: restore/, json({ ...plain, published: null })],
    ["made", /state.json is damaged: restore/, json({ ...plain, published: { ...generation, creation: "by hand" } })],
    ["packed", /state.json is damaged: restore/, json({ ...plain, published: { ...generation, packages: ["git"] } })],
    ["mounts", /state.json is damaged: restore/, json({ ...plain, generations: [{ ...generation, mounts: 7 }] })],
    ["upwards", /state.json is damaged: restore/, json({ ...plain, generations: [{ id: "../../x" }] })],
    [
      "linked",
      /state.json cannot be read: Too many levels of symbolic links: remove this symbolic link/,
      (host, image) => symlinkSync(join(host.directory, "canary/state.json"), host.state(image, "state.json")),
    ],
    [
      "dirstate",
      /state.json cannot be read: Is a directory: move this directory away/,
      (host, image) => mkdirSync(host.state(image, "state.json")),
    ],
    [
      "journal",
      /publishing.json was not written by this version/,
      (host, image) => writeFileSync(host.state(image, "publishing.json"), '{"format": 9}'),
    ],
    [
      "halfway",
      /publishing.json was not written by this version/,
      (host, image) => writeFileSync(host.state(image, "publishing.json"), '{"format": 1}'),
    ],
    [
      "locklink",
      /\/lock.*Too many levels of symbolic links/,
      (host, image) => symlinkSync(join(host.directory, "canary/lock"), host.state(image, "lock")),
    ],
    ["lockdir", /\/lock.*Is a directory/, (host, image) => mkdirSync(host.state(image, "lock"))],
    ["lockpipe", /\/lock/, (host, image) => execa("mkfifo", [host.state(image, "lock")])],
    [
      "statelink",
      /statelink is a symbolic link/,
      async (host, image) => {
        await rm(host.state(image, ""), { recursive: true });
        symlinkSync(join(host.directory, "canary"), host.state(image, ".").replace(/\/\.?$/, ""));
      },
    ],
    [
      "foreign",
      /is owned by user 1000, not by root: run chown/,
      (host, image) => execa("chown", ["1000", host.state(image, "")]),
    ],
    [
      "mounted",
      /images\/mounted is a mount point, and cannot be exchanged/,
      async (host, image) => {
        await execa("mount", ["--bind", join(host.root, image), join(host.root, image)]);
      },
    ],
    [
      "tmpfs",
      /images\/tmpfs is a mount point, and cannot be exchanged/,
      async (host, image) => {
        await execa("mount", ["-t", "tmpfs", "tmpfs", join(host.root, image)]);
      },
    ],
    [
      "notree",
      /images\/notree is a file, not a tree/,
      async (host, image) => {
        await rm(join(host.root, image), { recursive: true });
        await writeFile(join(host.root, image), "");
      },
    ],
  ];
  const host = await runnerHost({ "canary/state.json": "{}", "canary/lock": "kept" }, ["good"]);
  await rewrite(host, "good", write("one"));
  for (const [image, , damage] of damages) {
    await mkdir(join(host.root, image, "usr"), { recursive: true });
    await mkdir(host.state(image, ""), { recursive: true, mode: 0o700 });
    await rewrite(host, image, write("one"));
    await damage(host, image);
  }
  const records = damages
    .flatMap(([image]) => ["state.json", "publishing.json"].map((name) => host.state(image, name)))
    .filter((path) => existsSync(path) && statSync(path).isFile());
  const state = () => [
    damages.map(([image]) => fingerprint(join(host.root, image))),
    records.map((path) => readFileSync(path, "latin1")),
    fingerprint(join(host.directory, "canary")),
  ];
  const before = state();
  const result = await host.run(["site.yml"]);
  for (const [image, why] of damages) {
    expectRefused(result, image, why);
    expect(sentence(result, image).length).toBeLessThan(400);
  }
  expect(summary(result, "good")[0]).toBe("published");
  expect(state()).toEqual(before);
  // The other commands meet the same records.
  const names = damages.map(([image]) => image).join();
  const [back, release, list] = await Promise.all([
    host.run(["nspawn.runner.rollback", "--limit", names]),
    host.run(["nspawn.runner.release", "--limit", names]),
    host.run(["nspawn.runner.generations", "--limit", "packed"]),
  ]);
  for (const other of [back, release, list]) {
    expect(other.exitCode).toBe(2);
    expectCalm(other);
  }
  expect(state()).toEqual(before);
});

test("mounts in a tree are neither copied nor pruned", async () => {
  const host = await runnerHost({ "data/file": "data" }, ["aa"]);
  for (const name of ["mnt", "srv"]) await files(join(host.root, "aa", name), { hidden: "under the mount" });
  await rewrite(host, "aa", write("one"), keepNone);
  await execa("mount", ["-t", "tmpfs", "tmpfs", join(host.root, "aa/mnt")]);
  await writeFile(join(host.root, "aa/mnt/memory"), "memory");
  await execa("mount", ["--bind", join(host.directory, "data"), join(host.root, "aa/srv")]);
  const data = fingerprint(join(host.directory, "data"));
  const result = await host.run(["site.yml"]);
  expectPublished(result, "aa");
  for (const name of ["mnt", "srv"]) expect(readdirSync(join(host.root, "aa", name))).toEqual(["hidden"]);
  // The mounts moved with the old tree, which therefore stays: first because a run never removes the tree that it has replaced.
  const [old] = generations(host);
  expect(result.stdout).toContain(`generation ${old} stays until the next maintenance`);
  const later = await host.run(["site.yml"]);
  expect(summary(later, "aa")[0]).toBe("unchanged");
  expect(later.stdout).toMatch(new RegExp(`generation ${old} stays: .* has mounts beneath it`));
  const point = host.state("aa", `generations/${old}`);
  expect(mountsBeneath(host.root).sort()).toEqual([join(point, "mnt"), join(point, "srv")]);
  expect(readFileSync(join(point, "mnt/memory"), "utf8")).toBe("memory");
  for (const mount of mountsBeneath(host.root)) await execa("umount", [mount]);
  await rewrite(host, "aa", write("two"), keepNone);
  expect(summary(await host.run(["site.yml"]), "aa")[0]).toBe("published");
  expect(generations(host)).toHaveLength(1);
  expect(generations(host)).not.toContain(old);
  expect(fingerprint(join(host.directory, "data"))).toBe(data);
});

describe("a hostile tree", () => {
  /** Places that the collection or systemd-nspawn reads or writes, and where each leads to in the canary. */
  const links: Record<string, Record<string, string>> = {
    files: {
      "etc/os-release": "os-release",
      "etc/resolv.conf": "file",
      "etc/hostname": "file",
      "etc/localtime": "file",
      "usr/sbin/policy-rc.d": "file",
      "var/lib/dpkg/status": "status",
      "var/cache/apt": ".",
      "var/lib/apt/lists": ".",
      "var/log": ".",
      "root/.ansible": ".",
      "usr/lib/os-release": "os-release",
    },
    directories: { tmp: ".", var: ".", root: ".", "usr/sbin": ".", "usr/lib/systemd": "." },
    dpkg: { "var/lib": ".", "var/tmp": ".", "etc/apt": ".", "dev/shm": ".", "run/host": ".", "run/systemd": "." },
  };

  test("with links out of the tree changes no file of the host during a publish and a prune", async () => {
    const images = Object.keys(links);
    const host = await runnerHost({}, images);
    const canary = await files(join(host.directory, "canary"), {
      ...{ "os-release": "ID=canary\n", file: "canary\n", status: "Package: canary\n", "lib/dpkg/status": "canary\n" },
      ...{ "policy-rc.d": "", "resolv.conf": "canary\n", "dpkg/status": "Package: canary\n", "a.deb": "", "a.bin": "" },
    });
    await execa("find", [canary, "-type", "f", "-exec", "touch", "-a", "-d", "2001-01-01", "{}", "+"]);
    for (const [image, places] of Object.entries(links)) {
      for (const [n, [place, target]] of Object.entries(places).entries()) {
        const path = join(host.root, image, place);
        await mkdir(join(path, ".."), { recursive: true });
        await rm(path, { recursive: true, force: true });
        // Out of the tree, as seen by the host: absolute, or by many "..".
        symlinkSync(join(n % 2 ? `${"../".repeat(20)}${canary.slice(1)}` : canary, target), path);
      }
    }
    const before = fingerprint(canary, { read: true });
    for (const round of ["one", "two"]) {
      for (const image of images) {
        const tasks = [
          `- raw: echo ${round} >/usr/word`,
          "- raw: for d in /etc /tmp /var/log /var/tmp /root /run; do echo x >$d/written; done; true",
          "- debug: {msg: \"{{ nspawn_runner_os | default('nothing') }}\"}",
        ];
        await rewrite(host, image, tasks.join("\n"), keepNone);
      }
      const result = await host.run(["site.yml"]);
      for (const image of images) {
        expectPublished(result, image);
        expect(readFileSync(join(host.root, image, "usr/word"), "utf8")).toBe(`${round}\n`);
        // The second round removes the tree that the first one replaced.
        expect(generations(host, image)).toHaveLength(1);
      }
      expect(fingerprint(canary, { read: true })).toBe(before);
      expect(result.stdout).not.toContain("canary");
    }
  });

  test("is refused where systemd-nspawn would make or read files of the host before entering the tree", async () => {
    const directories = ["dev", "etc", "proc", "run", "sys"];
    const images = [...directories, "id", "pipe", "late", "place"];
    const host = await runnerHost({}, images);
    const canary = await files(join(host.directory, "canary"), { "machine-id": `${"0123456789abcdef".repeat(2)}\n` });
    await execa("touch", ["-a", "-d", "2001-01-01", join(canary, "machine-id")]);
    for (const [n, image] of [...directories, "place"].entries()) {
      const path = join(host.root, image, image === "place" ? "run" : image);
      await rm(path, { recursive: true });
      // Out of the tree, as seen by the host: absolute, or by many "..".
      symlinkSync(n % 2 ? `${"../".repeat(20)}${canary.slice(1)}` : canary, path);
    }
    symlinkSync(join(canary, "machine-id"), join(host.root, "id/etc/machine-id"));
    await execa("mkfifo", [join(host.root, "pipe/etc/machine-id")]);
    for (const image of images) await rewrite(host, image, write("one"));
    // After the last task: jobs would start in this tree.
    const last = `- shell: cd {{ nspawn_runner_path }} && rm -r dev && ln -s ${canary} dev\n  delegate_to: localhost`;
    await rewrite(host, "late", `${write("one")}\n${last}`);
    const state = () => [
      fingerprint(canary, { read: true }),
      ...images.map((image) => fingerprint(join(host.root, image))),
    ];
    const before = state();
    const result = await host.run(["site.yml", "--limit", "!place"]);
    const link = "is a symbolic link, which systemd-nspawn could follow on the host: put a directory in its place";
    for (const name of directories) expectRefused(result, name, new RegExp(`/${name}/staged/${name} ${link}`));
    expectRefused(result, "late", new RegExp(`/late/staged/dev ${link}`));
    for (const image of ["id", "pipe"])
      expectRefused(
        result,
        image,
        new RegExp(`/${image}/staged/etc/machine-id is not a regular file, and .*: remove it`),
      );
    // In place, the session.
    const place = await host.run(["place.yml"]);
    expect(place.exitCode).toBe(4);
    expect(text(place)).toContain(`/place/run ${link}`);
    expect(state()).toEqual(before);
  });

  test("of immutable files, long paths, many files, pipes, sockets and devices is published, copied and pruned", async () => {
    const host = await runnerHost({}, ["aa"]);
    const tree = join(host.root, "aa");
    await mkdir(join(tree, "odd"));
    await execa("mknod", [join(tree, "odd/null"), "c", "1", "3"]);
    await execa("mknod", [join(tree, "odd/loop"), "b", "7", "77"]);
    await execa("/usr/bin/python3", ["-c", "import socket; socket.socket(socket.AF_UNIX).bind('odd/socket')"], {
      cwd: tree,
    });
    const name = "d".repeat(249);
    const inside = [
      "mkfifo /odd/pipe",
      "mkdir /odd/many && cd /odd/many && i=0 && while [ $i -lt 50000 ]; do : >f$i; i=$((i+1)); done",
      `cd /odd && for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do mkdir ${name} && cd ${name} || exit 1; done; echo deep >f`,
      "echo hard >/odd/fixed && mkdir /odd/log && : >/odd/log/x",
    ];
    const tasks = [
      ...inside.map((command) => `- raw: ${JSON.stringify(command)}`),
      "- command: chattr +a {{ nspawn_runner_path }}/odd/log\n  delegate_to: localhost",
      "- command: chattr +i {{ nspawn_runner_path }}/odd/fixed {{ nspawn_runner_path }}\n  delegate_to: localhost",
      // In a container on an immutable root directory.
      "- raw: echo one >/etc/word",
    ];
    await rewrite(host, "aa", tasks.join("\n"), keepNone);
    const first = await host.run(["site.yml"]);
    expectPublished(first, "aa");
    expect(generations(host)).toHaveLength(1);
    expect((await execa("lsattr", ["-d", join(tree, "odd/fixed"), join(tree, "odd/log")])).stdout).toMatch(
      /^-+i-.*\n-+a-/,
    );
    const shape = () =>
      execaSync("find", [join(tree, "odd"), "-printf", "%P %y %m %n %T@\\n"])
        .stdout.split("\n")
        .sort();
    const shaped = shape();
    expect(shaped.length).toBeGreaterThan(50_000);
    // The harmless device stays, the disk is removed.
    expect(shaped.filter((line) => / [psc] /.test(line))).toHaveLength(3);
    expect(shaped.filter((line) => / b /.test(line))).toEqual([]);
    await execa("chattr", ["+i", tree]);

    await rewrite(host, "aa", write("two"), keepNone);
    const second = await host.run(["site.yml"]);
    expectPublished(second, "aa");
    expect(word(host)).toBe("two");
    expect(shape()).toEqual(shaped);
    // The first tree, with the immutable files, is removed by the next run.
    expect(generations(host)).toHaveLength(1);
    expect(summary(await host.run(["site.yml"]), "aa")[0]).toBe("unchanged");
    expect(generations(host)).toEqual([]);
    expect(readdirSync(host.state("aa", "")).filter((entry) => entry.startsWith("trash-"))).toEqual([]);

    // A staged tree with an immutable root directory is dropped after a failure.
    await rewrite(
      host,
      "aa",
      "- command: chattr +i {{ nspawn_runner_path }} {{ nspawn_runner_path }}/etc\n  delegate_to: localhost\n- fail: {msg: on purpose}",
    );
    expectRefused(await host.run(["site.yml"]), "aa", /on purpose/);
    expect(existsSync(host.state("aa", "staged"))).toBe(false);
  });

  test("with facts named like variables of the collection redirects no task", async () => {
    const host = await runnerHost({ "canary/etc/word": "canary" }, ["aa"]);
    const canary = join(host.directory, "canary");
    const names = [
      "nspawn_runner_path",
      "nspawn_runner_root",
      "ansible_host",
      "ansible_ssh_host",
      "ansible_chroot_exe",
      "nspawn_runner_playbook",
    ];
    const facts = {
      ...Object.fromEntries(names.map((name) => [name, canary])),
      nspawn_runner_keep_generations: 0,
      nspawn_runner_keep_days: 0,
    };
    const python = join(host.root, "aa/usr/bin/python3");
    await writeFile(
      join(host.root, "aa/facts.json"),
      JSON.stringify({ ansible_facts: { ...facts, nspawn_runner_keep_failed: true } }),
    );
    await writeFile(python, "#!/bin/sh\ncat /facts.json\n", { mode: 0o755 });
    const tasks = [
      "- setup:",
      write("one"),
      "- copy: {dest: '{{ nspawn_runner_path }}/etc/delegated', content: x}\n  delegate_to: localhost\n  vars: {ansible_python_interpreter: /usr/bin/python3}",
    ];
    await rewrite(host, "aa", tasks.join("\n"));
    const before = fingerprint(canary);
    const result = await host.run(["site.yml"]);
    expect(sentence(result, "aa")).toBe("");
    expect(word(host)).toBe("one");
    expect(existsSync(join(host.root, "aa/etc/delegated"))).toBe(true);
    expect(fingerprint(canary)).toBe(before);
    // The default, two, applies: only the tree's facts say otherwise.
    expect(generations(host)).toHaveLength(1);
  });
});

test("of two runs at once one publishes, the other is busy; a rollback and a creation are busy too", async () => {
  const host = await runnerHost({ "aa.yml": playbook("aa", write("one")) }, ["aa"]);
  expect((await host.run(["site.yml"])).exitCode).toBe(0);
  const seed = await busyboxTree(join(host.directory, "seed"));
  await rewrite(host, "aa", `- raw: "echo two >/etc/word; while [ ! -e /etc/go ]; do sleep 0.1; done; rm /etc/go"`);
  const create = `nspawn_runner_create_command: [sh, -c, 'cp -a ${seed}/. "$0"; while [ ! -e ${seed}.go ]; do sleep 0.1; done', '{{ nspawn_runner_tree }}']`;
  await rewrite(host, "bb", write("made"), create);
  const { result } = await started(
    host,
    () =>
      existsSync(host.state("aa", "staged/etc/word")) &&
      readFileSync(host.state("aa", "staged/etc/word"), "utf8") === "two\n" &&
      existsSync(host.state("bb", "staged/usr")),
  );
  const [second, back, creation] = await Promise.all([
    host.run(["site.yml"]),
    host.run(["nspawn.runner.rollback", "--limit", "aa"]),
    host.run(["nspawn.runner.create"]),
  ]);
  for (const image of ["aa", "bb"])
    expectRefused(
      second,
      image,
      new RegExp(`image ${image} is locked by another run \\(process \\d+, maintenance\\)`),
      "busy",
    );
  expectRefused(creation, "bb", /image bb is locked by another run \(process \d+, maintenance\)/, "busy");
  expect(back.exitCode).toBe(2);
  expect(text(back)).toMatch(/image aa is locked by another run \(process \d+, maintenance\)/);
  expectCalm(back);
  expect(word(host)).toBe("one");
  expect(existsSync(join(host.root, "bb"))).toBe(false);
  writeFileSync(host.state("aa", "staged/etc/go"), "");
  writeFileSync(`${seed}.go`, "");
  const first = await result;
  expect([summary(first, "aa")[0], summary(first, "bb")[0]]).toEqual(["published", "published"]);
  expect([word(host), word(host, "bb")]).toEqual(["two", "made"]);
});

describe("a power cut or a kill", () => {
  test("finds everything synced: tree and journal before the swap, the directories afterwards", async () => {
    const host = await runnerHost({ "aa.yml": playbook("aa", write("one")) }, ["aa"]);
    const trace = join(host.directory, "trace");
    const calls = "trace=fsync,fdatasync,syncfs,rename,renameat,renameat2,unlink,unlinkat";
    const under = [
      "setsid",
      "--wait",
      "strace",
      "--follow-forks",
      "--seccomp-bpf",
      "--decode-fds=path",
      "-s",
      "1000",
      "-o",
      trace,
      "-e",
      calls,
    ];
    const result = await host.run(["site.yml"], { under });
    expect(summary(result, "aa")[0]).toBe("published");
    const [id] = generations(host);
    const state = `${host.state("aa", "")}/`;
    const lines = readFileSync(trace, "utf8").split("\n");
    const begin = lines.findIndex((line) => /syncfs\(/.test(line) && line.includes(`${state}staged`));
    const steps = lines.slice(begin).filter((line) => / (fsync|fdatasync|syncfs|rename\w*|unlink\w*)\(/.test(line));
    const synced = steps
      .filter((line) => /syncfs|fsync|publishing|state\.json|RENAME/.test(line) && line.includes(host.root))
      .map((line) => {
        const call = / (\w+)\(/.exec(line)?.[1]?.replace(/^(rename|unlink)at2?$/, "$1");
        const paths = [...line.matchAll(/["<](\/[^">]*)[">]/g)].map(([, path]) =>
          `${path}/`
            .replace(state, "")
            .replace(host.root, "ROOT")
            .replace(/\/$/, "")
            .replace(/^trash-.*/, "trash-"),
        );
        return `${call} ${paths.filter((path) => !path.startsWith(host.directory)).join(" ")}`.trim();
      });
    expect(synced).toEqual([
      "syncfs staged",
      "fsync publishing.json.part",
      "rename publishing.json.part publishing.json",
      "fsync",
      // Reserves room for the record.
      "fsync trash-",
      "rename staged ROOT/aa",
      "fsync ROOT",
      "fsync",
      `rename staged generations/${id}`,
      "fsync",
      "fsync generations",
      "fsync state.json.part",
      "rename state.json.part state.json",
      "fsync",
      "unlink publishing.json",
      "fsync",
      // The record of the run, and the mark of the tree that this run has replaced.
      "fsync state.json.part",
      "rename state.json.part state.json",
      "fsync",
      "fsync state.json.part",
      "rename state.json.part state.json",
      "fsync",
    ]);
  });

  test("between swap and record leaves a whole image, and the next run completes the record", async () => {
    const host = await runnerHost({ "aa.yml": playbook("aa", write("one")) }, ["aa"]);
    const tree = join(host.root, "aa");
    const { ino } = statSync(tree);
    // After the swap, before the system call returns to the process.
    const inject = ["-P", tree, "-e", "trace=renameat2", "-e", "inject=renameat2:delay_exit=60000000:when=1"];
    // The path of the playbook marks the processes of this run.
    const site = join(host.directory, "site.yml");
    const run = host.run([site], {
      under: ["strace", "--follow-forks", "--seccomp-bpf", "-o", "/dev/null", ...inject],
    });
    await until(() => statSync(tree).ino !== ino);
    const [tracer] = processes(site).filter(({ parent }) => parent === process.pid);
    // The outer run first: none of the others gets the time to tidy up.
    const killed = processes(site).filter(({ pid }) => pid !== tracer?.pid);
    // By one program: a process that has died already is no error. strace last, which ends the delay.
    await execa("kill", ["-9", ...[...killed, tracer].map((process) => `${process?.pid}`)], { reject: false });
    await run;
    await until(() => processes(host.directory).length === 0);
    const left = () => readdirSync(host.state("aa", "")).map((name) => name.replace(/^trash-.*/, "trash-"));
    expect(left().sort()).toEqual(
      [
        "container",
        "generations",
        "job.json",
        "last.log",
        "lock",
        "publishing.json",
        "reserve",
        "staged",
        "trash-",
      ].sort(),
    );
    expect(word(host)).toBe("one");

    await rewrite(host, "aa", "- debug:");
    const after = await host.run(["site.yml"]);
    expect(summary(after, "aa")[0]).toBe("unchanged");
    const [id] = generations(host);
    expect(statSync(host.state("aa", `generations/${id}`)).ino).toBe(ino);
    const record = JSON.parse(readFileSync(host.state("aa", "state.json"), "utf8"));
    expect(record).toMatchObject({ published: { tasks_changed: 1 }, generations: [{ id }] });
    for (const name of ["publishing.json", "staged", "trash-"]) expect(left()).not.toContain(name);
  });
});

test("playbooks: a template of a wrong type is refused; tasks delegated to another host keep the image on the staged tree", async () => {
  const vars: Record<string, [string, RegExp]> = {
    text: [
      "nspawn_runner_keep_generations: '{{ word }}', word: many",
      /nspawn_runner_keep_generations.* must be a whole number, not 'many'/,
    ],
    list: ["nspawn_runner_keep_days: '{{ [1, 2] }}'", /nspawn_runner_keep_days.* must be a whole number, not \[1, 2\]/],
    minus: ["nspawn_runner_keep_days: '{{ 0 - 1 }}'", /nspawn_runner_keep_days.* must be 0 or more, not -1/],
    undef: [
      "nspawn_runner_keep_generations: '{{ nowhere }}'",
      /nspawn_runner_keep_generations.* cannot be rendered: .*nowhere/,
    ],
    bool: ["nspawn_runner_keep_failed: '{{ [1] }}'", /nspawn_runner_keep_failed.* must be true or false/],
  };
  const host = await runnerHost(
    {
      "others.ini":
        "other ansible_connection=local ansible_host=192.0.2.1 ansible_python_interpreter=/usr/bin/python3\n",
    },
    [...Object.keys(vars), "aa"],
  );
  for (const [image, [given]] of Object.entries(vars)) await rewrite(host, image, write("one"), given);
  const tasks = [
    write("one"),
    "- add_host: {name: added, ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}",
    ...["other", "added"].flatMap((name) => [
      `- command: cat {{ nspawn_runner_path }}/etc/word\n  delegate_to: ${name}\n  register: read`,
      `- debug: {msg: '${name} read {{ read.stdout }} for {{ inventory_hostname }} at {{ ansible_host }}'}`,
    ]),
    "- raw: echo two >>/etc/word",
  ];
  await rewrite(host, "aa", tasks.join("\n"));
  const before = Object.keys(vars).map((image) => fingerprint(join(host.root, image)));
  const result = await host.run(["-i", "others.ini", "site.yml"]);
  for (const [image, [, why]] of Object.entries(vars)) expectRefused(result, image, why);
  expect(Object.keys(vars).map((image) => fingerprint(join(host.root, image)))).toEqual(before);
  expect(sentence(result, "aa")).toBe("");
  for (const name of ["other", "added"])
    expect(result.stdout).toContain(`${name} read one for aa at ${host.state("aa", "staged")}`);
  expect(readFileSync(join(host.root, "aa/etc/word"), "utf8")).toBe("one\ntwo\n");
  expectCalm(result);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance of a tree with hostile output, and maintenance that is killed.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { type Process, processes, until } from "../support/process.ts";
import { killed, playbook, runnerHost, sentence, started, summary } from "../support/runner-host.ts";
import { files, mountsBeneath } from "../support/scratch.ts";

describe("output of a tree", () => {
  test("controls no terminal and forges no line: neither in the run's output nor in files", async () => {
    const print = String.raw`printf 'a\033]0;title\007b\302\2332J\342\200\256\rbb | forged\n'`;
    const name = String.raw`"{{ text.stdout }}\nbb | \e[2J\u2028\u202e"`;
    const tasks = `- raw: ${print}\n  register: text\n- name: ${name}\n  raw: ${print} >&2; false\n`;
    const host = await runnerHost({ "aa.yml": playbook("aa", tasks) }, ["aa"]);
    const result = await host.run(["site.yml"], { env: { ANSIBLE_STDOUT_CALLBACK: "minimal" } });
    expect(result.exitCode).toBe(2);
    const log = await readFile(host.state("aa", "last.log"), "utf8");
    const { last_run } = JSON.parse(await readFile(host.state("aa", "state.json"), "utf8"));
    const told = result.stdout.split("\n").find((line) => line.startsWith("aa: "));
    for (const text of [result.stdout, log, last_run.msg, told]) {
      expect(text).toContain(String.raw`\x1b]0;title\x07b\x9b2J\u202e`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
      expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
      // The log is of one image, and has the name of the task as Ansible prints it.
      if (text !== log) expect(text).not.toMatch(/^bb \|/m);
    }
  });
});

describe("nspawn_runner_timeout", () => {
  const marker = `sleep 42${process.pid}`;
  const sleepers = () => processes(marker).filter(({ command }) => /^(\S*busybox )?sleep /.test(command));

  test("kills the whole of one image: a playbook, a creation; the other images go on", async () => {
    const vars = (seconds: number) => `nspawn_runner_chroot_suite: bookworm, nspawn_runner_timeout: ${seconds}`;
    const create = `nspawn_runner_create_command: [${marker.replace(" ", ", '")}'], nspawn_runner_timeout: 1`;
    const host = await runnerHost(
      {
        "aa.yml": playbook("aa", `- raw: ${marker} >/dev/null 2>&1 & ${marker}`, vars(15)),
        "bb.yml": playbook("bb", "- raw: sleep 17\n  changed_when: false", vars(60)),
        "cc.yml": playbook("cc", "- debug:", create),
      },
      ["aa", "bb"],
    );
    const { result } = await started(host, () => sleepers().length > 1);
    await result;
    const killed = (seconds: number) =>
      `the maintenance took more than ${seconds} seconds, the value of nspawn_runner_timeout, and was killed`;
    expect((await result).exitCode).toBe(2);
    expect(sentence(await result, "aa")).toContain(killed(15));
    expect(sentence(await result, "cc")).toContain(killed(1));
    expect(summary(await result, "bb")[0]).toBe("unchanged");
    await until(() => sleepers().length === 0 && processes(host.directory).length === 0);
    for (const [image, seconds] of [["aa", 15] as const, ["cc", 1] as const]) {
      const { last_run } = JSON.parse(await readFile(host.state(image, "state.json"), "utf8"));
      expect(last_run).toMatchObject({ result: "failed", msg: expect.stringContaining(killed(seconds)) });
      expect(existsSync(host.state(image, "staged")), image).toBe(false);
    }
    expect(existsSync(join(host.root, "aa/usr"))).toBe(true);
    expect(existsSync(join(host.root, "cc"))).toBe(false);
    expect(mountsBeneath(host.directory)).toEqual([]);
  });
});

test("a tree that a playbook broke without an error is not published, unless the image wants that", async () => {
  const loss = "rm /var/lib/dpkg/status";
  const broken: Record<string, [task: string, sentence: string]> = {
    "no-usr": ["rm -rf /usr", "it has no directory /usr, only "],
    "no-files": ["cd /; rm -rf * 2>/dev/null; true", "it has no directory /usr, only "],
    // All programs of the tree are one file.
    "no-shell": [
      "cp /etc/passwd /usr/bin/new; chmod 755 /usr/bin/new; mv /usr/bin/new /usr/bin/busybox",
      "its programs are of an architecture that this host cannot run",
    ],
    "no-dpkg": [loss, "it has lost its package database"],
  };
  const playbooks = Object.entries(broken).map(([name, [task]]) => [`${name}.yml`, playbook(name, `- raw: ${task}`)]);
  const unchecked = playbook("unchecked", `- raw: ${loss}`, "nspawn_runner_check_tree: false");
  const names = [...Object.keys(broken), "unchecked"];
  const host = await runnerHost({ ...Object.fromEntries(playbooks), "unchecked.yml": unchecked }, names);
  for (const name of names)
    await files(join(host.root, name), { "var/lib/dpkg/status": "Package: a\n", "etc/kept": name });
  const result = await host.run(["site.yml"]);
  for (const [name, [, found]] of Object.entries(broken)) {
    expect(sentence(result, name)).toContain(`${name}: the new tree is not usable: ${found}`);
    expect(summary(result, name).slice(0, 2)).toEqual(["failed", "1"]);
    expect(readFileSync(join(host.root, name, "etc/kept"), "utf8")).toBe(name);
    expect(existsSync(join(host.root, name, "usr/bin/busybox"))).toBe(true);
    expect(existsSync(host.state(name, "staged"))).toBe(false);
  }
  expect(sentence(result, "no-dpkg")).toContain(
    "correct the playbook, or set nspawn_runner_check_tree: false for an image that is to be so",
  );
  expect(summary(result, "unchecked")[0]).toBe("published");
});

test("device nodes of a published tree leave the image, and the next run changes nothing", async () => {
  const host = await runnerHost({ "aa.yml": playbook("aa", "- raw: 'true'\n  changed_when: false") }, ["aa"]);
  const tree = join(host.root, "aa");
  for (const node of ["dev/null c 1 3", "dev/disk b 8 0", "run/kmsg c 1 11"]) {
    const [path, ...device] = node.split(" ");
    await execa("mknod", [join(tree, path as string), ...device]);
  }
  expect(summary(await host.run(["site.yml"]), "aa")[0]).toBe("published");
  expect([readdirSync(join(tree, "dev")), readdirSync(join(tree, "run"))]).toEqual([["null"], []]);
  const log = await readFile(host.state("aa", "last.log"), "utf8");
  expect(log).toContain("removed the device node dev/disk (block device 8:0)\n");
  expect(log).toContain("removed the device node run/kmsg (character device 1:11)\n");
  expect(summary(await host.run(["site.yml"]), "aa")[0]).toBe("unchanged");
});

describe("SIGKILL", () => {
  const marker = `sleep 41${process.pid}`;
  const sleeper = () => processes(marker).some(({ command }) => /^(\S*busybox )?sleep /.test(command));

  test("of the outer run ends all processes of the run", async () => {
    const host = await runnerHost({ "aa.yml": playbook("aa", `- raw: ${marker}`) }, ["aa"]);
    await killed(host, sleeper);
    await until(() => processes(host.directory).length === 0 && processes(marker).length === 0);
    expect(mountsBeneath(host.directory)).toEqual([]);
    // No lock and no process holds the image.
    await writeFile(join(host.directory, "aa.yml"), playbook("aa", "- raw: 'true'\n  changed_when: false"));
    expect(summary(await host.run(["site.yml"]), "aa")[0]).toBe("unchanged");
  });

  test("of the process that maintains an image fails this image alone, is recorded, and ends all that the process started", async () => {
    const host = await runnerHost(
      {
        "aa.yml": playbook("aa", `- raw: ${marker}`),
        "bb.yml": playbook(
          "bb",
          "- raw: while [ ! -e /go/now ]; do sleep 0.1; done; echo >/etc/word",
          "nspawn_runner_chroot_suite: bookworm, nspawn_runner_binds: ['{{ playbook_dir }}/go:/go:ro']",
        ),
        "go/wait": "",
      },
      ["aa", "bb"],
    );
    const { result } = await started(host, () => sleeper() && existsSync(host.state("bb", "lock")));
    const holder = Number.parseInt(await readFile(host.state("aa", "lock"), "utf8"), 10);
    process.kill(holder, "SIGKILL");
    await until(() => processes(marker).length === 0);
    await writeFile(join(host.directory, "go/now"), "");
    const ended = await result;
    const why =
      "the process that maintained this image was killed by signal 9 (perhaps out of memory): see the kernel's messages";
    expect(sentence(ended, "aa")).toContain(why);
    expect([ended.exitCode, summary(ended, "aa")[0], summary(ended, "bb")[0]]).toEqual([2, "failed", "published"]);
    const { last_run } = JSON.parse(await readFile(host.state("aa", "state.json"), "utf8"));
    expect(last_run).toMatchObject({ result: "failed", msg: expect.stringContaining(why) });
    expect(await readFile(host.state("aa", "last.log"), "utf8")).toContain(why);
    expect(existsSync(host.state("aa", "staged"))).toBe(false);
    expect(mountsBeneath(host.directory)).toEqual([]);
  });

  test("of one image's run fails this image, with a sentence", async () => {
    const host = await runnerHost({ "aa.yml": playbook("aa", `- raw: ${marker}`) }, ["aa"]);
    const { result } = await started(host, sleeper);
    const inner = processes(join(host.directory, "aa.yml")).filter(({ command }) =>
      /^\S*python\S* \S*ansible-playbook /.test(command),
    );
    // The first process of the image's run: no other process of the run is its parent.
    const [first] = inner.filter(({ parent }) => !inner.some(({ pid }) => pid === parent));
    process.kill((first as Process).pid, "SIGKILL");
    expect((await result).exitCode).toBe(2);
    expect(sentence(await result, "aa")).toMatch(/was ended by signal SIGKILL before its end .*last\.log/);
    await until(() => processes(marker).length === 0);
  });
});

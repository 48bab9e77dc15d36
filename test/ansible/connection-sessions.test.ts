// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sessions of the connection plugin, for which the version of Ansible makes no difference: other runs, other trees, jobs, a maintenance.

import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { connectionHost, containers, onThisHost, sessions, succeeded } from "../support/connection-host.ts";
import { container, processes, running, sleeper, until } from "../support/process.ts";
import { playbook, runnerHost, summary } from "../support/runner-host.ts";
import { files } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

const host = await connectionHost(undefined, "file");

test("tasks wait for the disk in a published tree alone: a staged tree is synced once, before the publish", async () => {
  const image = await connectionHost((tree) => debianTree(join(tree, "../.nspawn-runner/img/staged")));
  const tell = `
- {ansible.builtin.command: printenv DPKG_FORCE, register: force, failed_when: false}
- {ansible.builtin.command: dpkg --force-help, register: help}
- ansible.builtin.assert:`;
  const inPlace = await host.run(`${tell} {that: force.stdout == ''}`);
  expect(inPlace.stdout).toMatch(succeeded);
  const defaults = "help.stdout | regex_findall('[[][*][]] ([a-z-]+)  ')";
  const staged = await image.run(`${tell} {that: "force.stdout.split(',') == ${defaults} + ['unsafe-io']"}`);
  expect(staged.stdout).toMatch(succeeded);
  // Descriptor -1 makes the kernel report an error; success means that the filter answered in the kernel's place.
  const wait = "python3 -c 'import ctypes, sys; sys.exit(getattr(ctypes.CDLL(None), sys.argv[1])(-1) != 0)'";
  const waits = (expected: boolean) => `
- {ansible.builtin.command: "${wait} {{ item }}", loop: [fsync, fdatasync, syncfs], register: wait, failed_when: wait.rc != ${expected ? 1 : 0}}
- {ansible.builtin.command: grep NoNewPrivs:.0 /proc/self/status}
- ansible.builtin.meta: reset_connection`;
  expect((await host.run(waits(true))).stdout).toMatch(succeeded);
  expect((await image.run(waits(false))).stdout).toMatch(succeeded);
  for (const option of ["--bind=/srv:/srv", "SYSTEMD_SECCOMP=0"]) {
    await files(join(image.tree, ".."), { container: `${option}\n` });
    expect((await image.run(waits(true))).stdout, option).toMatch(succeeded);
  }
});

test("two trees of one run have a session each, and the tasks run in parallel", async () => {
  const { directory, tree } = host;
  const other = await debianTree(join(directory, "other"));
  const variables = { ansible_connection: "nspawn.runner.nspawn", ansible_python_interpreter: "/usr/bin/python3" };
  const hosts = { tree: { ansible_host: tree }, other: { ansible_host: other } };
  const tasks = `
- {ansible.builtin.command: hostname, register: name}
- ansible.builtin.assert: {that: name.stdout == inventory_hostname}
- ansible.builtin.shell: touch /root/here; until [ -e /root/go ]; do sleep 0.1; done`;
  await files(directory, {
    "both.yml": JSON.stringify({ all: { hosts, vars: { ...variables, ansible_pipelining: true } } }),
    "both-play.yml": playbook("all", tasks, ""),
  });
  const both = ansible("ansible-playbook", ["-i", "both.yml", "--forks=2", "both-play.yml"], { cwd: directory });
  for (const path of [tree, other])
    await expect.poll(() => existsSync(join(path, "root/here")), { timeout: 60_000 }).toBe(true);
  for (const path of [tree, other]) await writeFile(join(path, "root/go"), "");
  const { stdout } = await both;
  for (const name of Object.keys(hosts)) expect(stdout).toMatch(new RegExp(`${name} +: ok=3 .*${succeeded.source}`));
  for (const name of ["here", "go"]) await rm(join(tree, "root", name));
});

test("a tree without Python that a job holds is waited for; a command's own status of such a tree is its result", async () => {
  const { tree, run } = await connectionHost(busyboxTree);
  const env = { ANSIBLE_NSPAWN_BUSY_TIMEOUT: "30" };
  const job = await running(container(tree, "--read-only", ...sleeper));
  const waiting = run("- ansible.builtin.raw: id", { env });
  // A second run of the wrapper: the first was refused. Forks of the wrapper have the same command line.
  const wrappers = new Set<number>();
  await until(() => {
    for (const { pid, parent } of processes(`nspawn-chroot ${tree} `)) if (!wrappers.has(parent)) wrappers.add(pid);
    return wrappers.size > 1;
  });
  await job.end();
  expect((await waiting).stdout).toMatch(succeeded);
  const status = (number: number, text: string) =>
    `- {ansible.builtin.raw: "echo x >>/root/runs; echo '${text}' >&2; exit ${number}", register: raw, failed_when: raw.rc != ${number}}`;
  const { stdout } = await run(
    [
      status(75, "nspawn-chroot: the tree is in use by another command: wait until it ends"),
      status(125, "nspawn-chroot: cannot enter the tree"),
      status(1, `Directory tree ${tree} is currently busy.`),
    ].join("\n"),
    { env },
  );
  expect(stdout).toMatch(succeeded);
  expect(await readFile(join(tree, "root/runs"), "utf8")).toBe("x\nx\nx\n");
});

test("a second run waits for the first, or names the holder of the tree, depending on the busy timeout", async () => {
  const { directory, tree, run } = host;
  const [begun, go] = [join(tree, "root/begun"), join(tree, "root/go")];
  // In a PID namespace each: the two main processes have the same process id.
  const under = ["unshare", "--pid", "--fork", "--mount-proc"];
  const first = run("- ansible.builtin.shell: touch /root/begun; until [ -e /root/go ]; do sleep 0.1; done", { under });
  await expect.poll(() => existsSync(begun), { timeout: 60_000 }).toBe(true);
  const adHoc = (seconds: string) =>
    ansible("ansible", ["-i", "hosts.yml", "img", "-m", "ping"], {
      cwd: directory,
      env: { ANSIBLE_NSPAWN_BUSY_TIMEOUT: seconds },
      under,
    });
  const refused = await adHoc("0");
  expect(refused.exitCode).toBe(4);
  expect(refused.stdout).toMatch(/in use by another run \(process \d+, ansible-playbook\): wait until it ends/);
  const second = adHoc("60");
  await sleep(2000);
  await writeFile(go, "");
  expect((await second).exitCode).toBe(0);
  expect((await first).exitCode).toBe(0);
});

test("after a tree was replaced by another one, tasks run in the new tree", async () => {
  const { tree, directory, run } = await connectionHost();
  await debianTree(join(directory, "other"));
  await writeFile(join(directory, "other/etc/which"), "other");
  const swap = `mv ${tree} ${tree}.old && mv ${directory}/other ${tree}`;
  const { stdout } = await run(`
- ansible.builtin.ping:
- ${onThisHost(swap)}
- {ansible.builtin.command: cat /etc/which, register: which}
- ansible.builtin.assert: {that: which.stdout == 'other'}`);
  expect(stdout).toMatch(succeeded);
});

test("a maintenance uses the connection and publishes; an idle session on the published tree gives the image up", async () => {
  const tasks = "- {ansible.builtin.copy: {content: new, dest: /etc/new}}\n- ansible.builtin.command: test -e /etc/new";
  const { directory, root, run } = await runnerHost(
    { "img.yml": playbook("img", tasks, "ansible_nspawn_idle_time: 60") },
    [],
  );
  await debianTree(join(root, "img"));
  await files(directory, { "group_vars/all.yml": "ansible_nspawn_idle_time: 60\n" });
  const first = await run(["site.yml"]);
  expect(summary(first, "img")[0]).toBe("published");
  expect(await readFile(join(root, "img/etc/new"), "utf8")).toBe("new");
  const inPlace = await ansible("ansible", ["-i", "nspawn_runner.yml", "img", "-m", "ping"], { cwd: directory });
  expect(inPlace.exitCode).toBe(0);
  expect(containers(join(root, "img"))).toHaveLength(1);
  expect(sessions(join(root, "img"))).toHaveLength(1);
  await writeFile(join(directory, "give-back.yml"), playbook("img", "- ansible.builtin.meta: reset_connection", ""));
  expect((await run(["give-back.yml"])).exitCode).toBe(0);
  expect(containers(join(root, "img"))).toEqual([]);
  expect((await run(["img.yml"])).exitCode).toBe(0);
  expect(containers(join(root, "img"))).not.toEqual([]);
  expect(summary(await run(["site.yml"]), "img")[0]).toBe("unchanged");
  expect(containers(join(root, "img"))).toEqual([]);
});

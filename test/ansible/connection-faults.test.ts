// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The connection's messages and leftovers when a process is killed, the tree vanishes, a disk is full, or root rights are missing.

import { chown, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { ansible, asNobody } from "../support/ansible.ts";
import {
  connectionHost,
  containerOf,
  containers,
  onThisHost,
  sessionOf,
  sessions,
  succeeded,
  whichContainer,
} from "../support/connection-host.ts";
import { processes } from "../support/process.ts";
import { files, scratch } from "../support/scratch.ts";
import { busyboxTree, debianSource } from "../support/trees.ts";

const host = await connectionHost(undefined, "file");

/** A command that waits for a process on this machine. */
const until = (pattern: string): string => `timeout 120 sh -c "until pgrep --full '${pattern}'; do sleep 0.1; done"`;

describe("SIGKILL before, during and after a task", () => {
  test.each([
    ["the container", containerOf, "the container on .* ended under this task"],
    ["the host side", sessionOf, "the process that keeps the container on .* was killed under this task"],
  ])("of %s makes one task unreachable, which says so", async (_what, pattern, message) => {
    const { tree, run } = host;
    const kill = `kill -9 $(pgrep --full '${pattern(tree)}')`;
    const result = await run(`
- ansible.builtin.ping:
- ${onThisHost(kill)}
- ansible.builtin.ping:
- ${onThisHost(`(${until("^sleep 4716$")}; ${kill}) >/dev/null 2>&1 &`)}
- {ansible.builtin.command: sleep 4716, register: under, ignore_unreachable: true}
- ansible.builtin.assert: {that: under.msg is search(${JSON.stringify(message)}), quiet: true}
- ansible.builtin.ping:`);
    expect(result.stdout).toMatch(succeeded);
    expect(result.stdout).toContain("ok=7");
  });

  test("of the agent, and of the process that runs the task: each message names the process", async () => {
    const result = await host.run(`
- {ansible.builtin.raw: "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 60", register: agent, ignore_unreachable: true}
- {ansible.builtin.shell: "sleep 4713 & kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 60", register: handler, ignore_unreachable: true}
- ansible.builtin.ping:
- ansible.builtin.assert:
    that:
    - agent.msg is search('the container on .* ended under this task')
    - handler.msg is search('the process that ran this task in the container on .* was killed')`);
    expect(result.stdout).toMatch(succeeded);
  });

  test.each([
    ["a tree with Python", () => host],
    ["a tree without", () => connectionHost(busyboxTree)],
  ])("of a run that is in the middle of a task leaves nothing in %s", async (_tree, at) => {
    const { tree, run } = await at();
    // The main process, above the worker that runs this command; the workers live on.
    const main = `{{ lookup('pipe', "cut -d' ' -f4 /proc/$PPID/stat") }}`;
    const result = await run(`
- ${onThisHost(`(${until("^sleep 4714$")}; kill -9 ${main}) >/dev/null 2>&1 &`)}
- ansible.builtin.raw: exec sleep 4714`);
    expect(result.stdout).toContain("TASK [ansible.builtin.raw]");
    expect(result.stdout).not.toContain("PLAY RECAP");
    // The program of the session, if there is one, ends last.
    for (const pattern of [containerOf(tree), "^sleep 4714$", sessionOf(tree)]) {
      await expect.poll(() => processes(new RegExp(pattern, "s")), { timeout: 30_000 }).toEqual([]);
    }
  });
});

test("a command that ends before the connection plugin waits for it runs once", async () => {
  const { tree, run } = host;
  const inject = ["-e", "inject=sendmsg:delay_exit=300000"];
  const under = ["strace", "--follow-forks", "--seccomp-bpf", "-o", "/dev/null", ...inject];
  const result = await run("- {ansible.builtin.raw: echo once >>/root/runs}", { under });
  expect(result.stdout).toMatch(succeeded);
  expect(await readFile(join(tree, "root/runs"), "utf8")).toBe("once\n");
});

test("a run that is killed before it reads the session's answer leaves the session to the run that holds the tree", async () => {
  const { directory, tree, run } = host;
  await files(directory, {
    "ask.py": `import json, select, socket, sys
with open(f"/proc/{sys.argv[1]}/cmdline") as file:
    options = json.loads(file.read().split("\\0")[-2])
session = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
session.connect(options["directory"] + "/control")
session.sendall(json.dumps({"run": "another"}).encode())
select.select([session], [], [])
`,
  });
  const result = await run(`
- {ansible.builtin.command: ${whichContainer}, register: before}
- ${onThisHost(`/usr/bin/python3 ${directory}/ask.py $(pgrep --full '${sessionOf(tree)}')`)}
- {ansible.builtin.command: ${whichContainer}, register: after}
- ansible.builtin.assert: {that: before.stdout == after.stdout}`);
  expect(result.stdout).toMatch(succeeded);
});

test("a run without a busy timeout still waits for a session that is about to end", async () => {
  const { run } = host;
  // A container without an agent is ended by force, which takes some seconds.
  const stop = await run("- ansible.builtin.raw: kill -STOP $(cut -d' ' -f4 /proc/$PPID/stat)");
  expect(stop.stdout).toMatch(succeeded);
  await sleep(3000);
  const result = await run("- ansible.builtin.ping:", { env: { ANSIBLE_NSPAWN_BUSY_TIMEOUT: "0" } });
  expect(result.stdout).toMatch(succeeded);
});

describe("a tree", () => {
  test("that is renamed or replaced under a running session is reported missing, and works again after its return", async () => {
    const { tree, run } = host;
    const result = await run(`
- {ansible.builtin.raw: ${whichContainer}, register: before}
- ${onThisHost(`mv ${tree} ${tree}.away`)}
- {ansible.builtin.ping: , register: renamed, ignore_unreachable: true}
- ${onThisHost(`mv ${tree}.away ${tree}`)}
- {ansible.builtin.raw: ${whichContainer}, register: after}
- ${onThisHost(`mv ${tree} ${tree}.away && mkdir ${tree}`)}
- {ansible.builtin.ping: , register: replaced, ignore_unreachable: true}
- ${onThisHost(`rmdir ${tree} && mv ${tree}.away ${tree}`)}
- ansible.builtin.ping:
- ansible.builtin.assert:
    that:
    - renamed.msg is search('cannot be entered. No such file or directory. create the image first')
    - before.stdout == after.stdout
    - replaced.msg is search('is not usable. it has no directory /usr')`);
    expect(result.stdout).toMatch(succeeded);
  });

  test("that is removed under a running session is reported missing, and the container ends", async () => {
    const { tree, run } = await connectionHost();
    const result = await run(`
- ansible.builtin.ping:
- ${onThisHost(`rm --recursive ${tree}`)}
- {ansible.builtin.ping: , register: removed, ignore_unreachable: true}
- ansible.builtin.assert: {that: removed.msg is search('create the image first')}`);
    expect(result.stdout).toMatch(succeeded);
    await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
  });

  test("on a full disk: the task that needs room fails, the next task works", async () => {
    const { tree, run } = await connectionHost(async (path) => {
      await mkdir(path);
      await execa("mount", ["-t", "tmpfs", "-o", "size=400m", "tmpfs", path]);
      await execa("cp", ["--archive", `${await debianSource()}/.`, path]);
      return path;
    });
    const large = join(scratch(), "large");
    await execa("truncate", ["--size=20M", large]);
    const result = await run(`
- {ansible.builtin.raw: "head -c 1G /dev/zero >/full", ignore_errors: true}
- ansible.builtin.meta: reset_connection
- {ansible.builtin.raw: echo room for this, register: raw}
- ansible.builtin.raw: truncate --size=-5M /full
- {ansible.builtin.copy: {src: ${large}, dest: /root/large}, register: copy, ignore_errors: true}
- ansible.builtin.ping:
- ansible.builtin.assert:
    that: ["copy.msg is search('cannot be copied to .*: No space left on device')", raw.stdout is search('room for this')]`);
    expect(result.stdout).toMatch(succeeded);
    // The session holds the mount.
    await expect.poll(() => sessions(tree), { timeout: 30_000 }).toEqual([]);
  });
});

test("a user without root gets one sentence, and nothing is started", async () => {
  const { directory, tree } = await connectionHost(busyboxTree);
  const home = join(directory, "home");
  await mkdir(home);
  await chown(home, 65534, 65534);
  const result = await ansible("ansible", ["-i", "hosts.yml", "img", "-m", "raw", "-a", "id"], {
    cwd: directory,
    env: { HOME: home },
    under: asNobody,
  });
  expect(result.stdout).toContain("starting containers requires root: run Ansible as root, for example under sudo");
  expect(result.stdout + result.stderr).not.toMatch(/Traceback|Permission denied/);
  expect(result.exitCode).toBe(2);
  expect(sessions(tree)).toEqual([]);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The connection plugin on real trees: one container serves many tasks, with misbehaving tasks, trees and other runs.

import { existsSync } from "node:fs";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import {
  connectionHost,
  containers,
  onThisHost,
  sessions,
  succeeded,
  where,
  whichContainer,
} from "../support/connection-host.ts";
import { until } from "../support/process.ts";
import { files } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

const host = await connectionHost(undefined, "file");

test("tasks share one container, which ends soon after the run and leaves nothing in the tree", async () => {
  const { tree, run } = host;
  const result = await run(`
- {ansible.builtin.command: ${whichContainer}, register: first}
- {ansible.builtin.raw: ${whichContainer}, register: second}
- ansible.builtin.assert: {that: first.stdout == second.stdout | trim}
- {ansible.builtin.command: test -e /usr/sbin/policy-rc.d}
- ${onThisHost("[ $(stat --format=%u:%a /run/nspawn-runner /run/nspawn-runner/*/ | sort --unique) = 0:700 ]")}
- {ansible.builtin.command: hostname, register: name}
- ansible.builtin.assert: {that: name.stdout == 'tree'}`);
  expect(result.stdout + result.stderr).toMatch(succeeded);
  expect(result.exitCode).toBe(0);
  const directory = sessions(tree)[0]?.command.match(/\/run\/nspawn-runner\/\w+/)?.[0] as string;
  expect(existsSync(directory)).toBe(true);
  await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
  await until(() => !existsSync(directory));
  const left = await execa("find", [tree, "-name", ".nspawn-chroot*", "-o", "-name", "policy-rc.d"]);
  expect(left.stdout).toBe("");
});

test("a module runs in a fork of the agent, with the agent's imports", async () => {
  const { directory, run } = host;
  await files(directory, { "library/where.py": where });
  const result = await run(`
- {where: , register: module}
- ansible.builtin.assert: {that: module.code is search('^/proc/self/fd/')}`);
  expect(result.stdout).toMatch(succeeded);
});

test("changes that a task makes to its process do not reach the next task", async () => {
  const { directory, run } = host;
  await files(join(directory, "library"), {
    "spoil.py": `#!/usr/bin/python
import builtins, json, logging, os, resource, signal, sys
from ansible.module_utils import basic
os.environ["SPOILT"] = "1"
os.umask(0)
os.chdir("/var")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.path.insert(0, "/spoilt")
builtins.spoilt = basic.spoilt = True
logging.getLogger().addHandler(logging.NullHandler())
resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))
basic.AnsibleModule(argument_spec={}).exit_json(changed=False)
`,
    "look.py": `#!/usr/bin/python
import builtins, logging, os, resource, signal, sys
from ansible.module_utils import basic
found = dict(
    environment="SPOILT" in os.environ, umask=os.umask(0o22), cwd=os.getcwd(), path="/spoilt" in sys.path,
    signal=signal.getsignal(signal.SIGTERM) != signal.SIG_DFL, handlers=len(logging.getLogger().handlers),
    patched=hasattr(builtins, "spoilt") or hasattr(basic, "spoilt"), files=resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 99)
basic.AnsibleModule(argument_spec={}).exit_json(found=found)
`,
  });
  const { stdout } = await run(`
- {look: , register: before}
- spoil:
- {look: , register: after}
- ansible.builtin.assert: {that: [before.found == after.found, not after.found.patched, not after.found.environment]}`);
  expect(stdout).toMatch(succeeded);
  expect(stdout).toContain("ok=4");
});

test("a module ends as in a separate Python: threads, exit handlers and destructors run", async () => {
  const { directory, tree, run } = host;
  await files(join(directory, "library"), {
    "leave.py": `#!/usr/bin/python
import atexit, sys, threading, time
from ansible.module_utils import basic
class Last:
    def __del__(self):
        with open("/root/last", "w") as file:
            file.write("taken apart")
last = Last()
def late():
    time.sleep(0.5)
    with open("/root/late", "w") as file:
        file.write("waited for")
threading.Thread(target=late).start()
@atexit.register
def at_exit():
    with open("/root/at-exit", "w") as file:
        file.write("called")
sys.exit("some words")
`,
  });
  const { stdout } = await run(`
- {leave: , ignore_errors: true, register: left}
- ansible.builtin.assert: {that: [left.rc == 1, "'some words' in left.module_stderr"]}`);
  expect(stdout).toMatch(succeeded);
  const read = (name: string) => readFile(join(tree, "root", name), "utf8");
  expect(await Promise.all(["last", "late", "at-exit"].map(read))).toEqual(["taken apart", "waited for", "called"]);
});

test("modules, files, become, environment, async and a reset work as on other connections", async () => {
  const { directory, run } = host;
  await files(directory, { "script.sh": "#!/bin/sh\nprintf 'script %s' \"$1\"\n", empty: "" });
  const name = `/root/a b'ü".txt`;
  const { stdout } = await run(`
- ansible.builtin.setup:
- ansible.builtin.copy: {content: "hällo\\n", dest: ${JSON.stringify(name)}}
- ansible.builtin.fetch: {src: ${JSON.stringify(name)}, dest: fetched/, flat: true}
- ansible.builtin.copy: {src: empty, dest: /root/empty}
- ansible.builtin.fetch: {src: /root/empty, dest: fetched/, flat: true}
- ansible.builtin.user: {name: joe}
- ansible.builtin.copy: {content: "[Install]\\nWantedBy=multi-user.target\\n", dest: /etc/systemd/system/ours.service}
- {ansible.builtin.systemd: {name: ours.service, enabled: true}, register: unit}
- {ansible.builtin.command: id -un, become: true, become_user: joe, become_method: su, register: joe}
- {ansible.builtin.shell: 'echo "$FOO"', environment: {FOO: bar}, register: foo}
- {ansible.builtin.command: sleep 1, async: 20, poll: 1}
- {ansible.builtin.script: script.sh 1, register: script}
- {ansible.builtin.command: echo plain, vars: {ansible_pipelining: false}, register: plain}
- ansible.builtin.meta: reset_connection
- ansible.builtin.wait_for_connection:
- ansible.builtin.assert:
    that: [unit is changed, joe.stdout == 'joe', foo.stdout == 'bar', script.stdout == 'script 1', plain.stdout == 'plain']`);
  expect(stdout).toMatch(succeeded);
  expect(await readFile(join(directory, "fetched", name.slice("/root/".length)), "utf8")).toBe("hällo\n");
  expect(await readFile(join(directory, "fetched/empty"), "utf8")).toBe("");
});

test("a task that times out ends with its children, a killed task says so, and the next tasks work", async () => {
  const { run } = host;
  const { stdout } = await run(`
- {ansible.builtin.shell: (setsid sleep 4711 &) ; sleep 4712, timeout: 1, ignore_errors: true, register: late}
- ansible.builtin.raw: "for i in $(seq 300); do grep -qsE 'sleep.471[12]' /proc/[0-9]*/cmdline || exit 0; sleep 0.1; done; exit 1"
- {ansible.builtin.shell: kill -9 $PPID, ignore_errors: true, register: killed}
- {ansible.builtin.raw: kill -9 $PPID; sleep 5, ignore_unreachable: true, register: handler}
- ansible.builtin.ping:
- ansible.builtin.assert: {that: [late is failed, killed.rc == 137, "'was killed' in handler.msg"]}`);
  expect(stdout).toMatch(succeeded);
});

test("a tree without Python runs raw commands, with a container for each, and accepts files", async () => {
  const { directory, tree, run } = await connectionHost(busyboxTree);
  await files(directory, { "script.sh": "#!/bin/sh\necho $((6 * 7))\n" });
  const { stdout } = await run(`
- {ansible.builtin.raw: "echo a; echo b >&2; exit 3", register: raw, failed_when: raw.rc != 3 or raw.stdout != 'a\\n' or raw.stderr != 'b\\n'}
- {ansible.builtin.script: script.sh, register: script}
- ansible.builtin.assert: {that: script.stdout | trim == '42'}`);
  expect(stdout).toMatch(succeeded);
  expect(stdout).toContain("ok=3");
  expect(containers(tree)).toEqual([]);
});

test("a missing tree and a link make the image unreachable, with one sentence", async () => {
  const { tree, run } = await connectionHost(busyboxTree);
  await rename(tree, `${tree}.away`);
  expect((await run("- ansible.builtin.raw: id")).stdout).toContain("create the image first");
  await execa("ln", ["-s", `${tree}.away`, tree]);
  expect((await run("- ansible.builtin.raw: id")).stdout).toContain("is a symbolic link: give the directory itself");
  await rm(tree);
});

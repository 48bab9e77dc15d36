// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The connection plugin on real trees: one container serves many tasks, with misbehaving tasks, trees and other runs.

import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import {
  connectionHost,
  containers,
  onThisHost,
  sessions,
  succeeded,
  where,
  whichContainer,
} from "../support/connection-host.ts";
import { container, processes, running, sleeper, until } from "../support/process.ts";
import { playbook, runnerHost, summary } from "../support/runner-host.ts";
import { files } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

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

test("a missing tree and a link make the image unreachable, with one sentence", async () => {
  const { tree, run } = await connectionHost(busyboxTree);
  await rename(tree, `${tree}.away`);
  expect((await run("- ansible.builtin.raw: id")).stdout).toContain("create the image first");
  await execa("ln", ["-s", `${tree}.away`, tree]);
  expect((await run("- ansible.builtin.raw: id")).stdout).toContain("is a symbolic link: give the directory itself");
  await rm(tree);
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

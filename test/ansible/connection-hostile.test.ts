// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Hostile trees: no file of the host is read or written, no program of a tree runs on the host, and no output of a tree harms a run.

import { copyFile, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, expect, test } from "vitest";
import {
  addTransfer,
  type ConnectionHost,
  connectionHost,
  containers,
  onThisHost,
  sessionOf,
  sessions,
  succeeded,
} from "../support/connection-host.ts";
import { fingerprint } from "../support/listing.ts";
import { files, scratch } from "../support/scratch.ts";

const host = await connectionHost(undefined, "file");
/** A directory of the host; the tree has a directory of the same path. */
const outside = scratch("file");
const inside = join(host.tree, outside);

beforeEach(async () => {
  await files(outside, { secret: "of the host", "d/": "", program: `#!/bin/sh\ntouch ${outside}/executed\n` });
  await execa("chmod", ["+x", join(outside, "program")]);
  await files(inside, { secret: "of the tree", "d/": "" });
});

test("of 250 MB that a command prints, the beginning and the end arrive, with a line about the gap", async () => {
  const { run } = host;
  const flood = "python3 -c 'print(chr(120) * 250000000)'";
  const result = await run(`
- {ansible.builtin.raw: "echo first; ${flood}; echo last", register: raw}
- {ansible.builtin.shell: "${flood.replace("250", "70")}", register: module, ignore_errors: true}
- ansible.builtin.assert:
    that:
      - raw.rc == 0 and raw.stdout_lines[0] == 'first' and raw.stdout_lines[-1] == 'last'
      - "raw.stdout_lines[2] is match('.nspawn.runner: 182891148 bytes are left out here')"
      - module is failed and 'printed more than 64 MiB' in module.msg`);
  expect(result.stdout).toMatch(succeeded);
});

test("a link that points out of the tree is followed inside the tree", async () => {
  const { directory, tree, run } = host;
  await symlink(join(outside, "secret"), join(tree, "root/absolute"));
  await symlink(`../../../../../..${outside}/secret`, join(tree, "root/relative"));
  await symlink(outside, join(tree, "root/directory"));
  await symlink(join(outside, "d"), join(tree, "root/.ansible"));
  await files(directory, { "a.j2": "{{ 6 * 7 }}", "archive/unpacked": "unpacked" });
  await execa("tar", ["--create", "--file=a.tar", "--directory=archive", "unpacked"], { cwd: directory });
  const before = fingerprint(outside);
  const result = await run(`
- {ansible.builtin.fetch: {src: /root/absolute, dest: absolute, flat: true}}
- {ansible.builtin.fetch: {src: /root/relative, dest: relative, flat: true}}
- {ansible.builtin.copy: {content: new, dest: /root/relative, follow: true}}
- {ansible.builtin.copy: {content: new, dest: /root/directory/copied}, vars: {ansible_pipelining: false}}
- {ansible.builtin.template: {src: a.j2, dest: /root/directory/templated}}
- {ansible.builtin.unarchive: {src: a.tar, dest: /root/directory}}`);
  expect(result.stdout).toMatch(succeeded);
  expect(fingerprint(outside)).toBe(before);
  for (const name of ["absolute", "relative"])
    expect(await readFile(join(directory, name), "utf8")).toBe("of the tree");
  for (const [name, text] of Object.entries({ secret: "new", copied: "new", templated: "42", unpacked: "unpacked" }))
    expect(await readFile(join(inside, name), "utf8")).toBe(text);
  await rm(join(tree, "root/.ansible"));
});

test("a link in the place of a directory that systemd-nspawn uses before entering the tree is refused", async () => {
  const { tree, run } = host;
  // A session from the test before would be used again.
  await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
  const before = fingerprint(outside);
  const directories = ["dev", "etc", "proc", "run", "sys"];
  const tasks = directories.map((name) => {
    const path = join(tree, name);
    return `
- ${onThisHost(`mv ${path} ${path}.away && ln -s ${outside} ${path}`)}
- {ansible.builtin.ping: , register: ${name}, ignore_unreachable: true}
- ${onThisHost(`rm ${path} && mv ${path}.away ${path}`)}
- ansible.builtin.assert: {that: ${name}.msg is search('${path} is a symbolic link')}`;
  });
  const result = await run(tasks.join(""));
  expect(result.stdout).toMatch(succeeded);
  expect(fingerprint(outside)).toBe(before);
});

test("code that Python loads in the tree has pipes and sealed memory, and no descriptor of a host file", async () => {
  const { tree, run } = host;
  const planted = join(tree, "usr/lib/python3.11/sitecustomize.py");
  await rm(planted);
  await writeFile(
    planted,
    `import os
for descriptor in os.listdir("/proc/self/fd"):
    path = f"/proc/self/fd/{descriptor}"
    try:
        what = os.readlink(path)
        if "memfd" in what:
            os.write(os.open(path, os.O_RDWR), b"planted")
            what = "writable " + what
    except OSError:
        pass
    with open("/seen", "a") as file:
        file.write(what + "\\n")
`,
  );
  await writeFile(join(tree, "etc/passwd"), `root:x:0:0:root:${outside}:/bin/sh\nevil:x:0:0::/:${outside}/program\n`);
  const before = fingerprint(outside);
  const result = await run(`
- ansible.builtin.ping:
- {ansible.builtin.ping: , vars: {ansible_pipelining: false}}
- {ansible.builtin.command: id, become: true, become_user: evil, become_method: su, ignore_errors: true}`);
  expect(result.stdout).toMatch(succeeded);
  const seen = (await readFile(join(tree, "seen"), "utf8")).trim().split("\n");
  expect(seen.filter((what) => what.startsWith("/memfd:nspawn-runner")).length).toBeGreaterThan(0);
  for (const what of seen) expect(what).toMatch(/^(pipe:|socket:|\/memfd:nspawn-runner|\/dev\/null|\/proc\/)/);
  expect(fingerprint(outside)).toBe(before);
  await rm(planted);
});

test("facts named like options and variables change neither the place nor the program of a task", async () => {
  const { directory, tree, run } = host;
  const spec = JSON.stringify(
    JSON.parse(await readFile(join(import.meta.dirname, "../../generated/spec.json"), "utf8")),
  );
  const names = new Set([...spec.matchAll(/"((?:ansible|nspawn_runner)_[a-z_]+)"/g)].map(([, name]) => name as string));
  expect(names).toContain("ansible_nspawn_idle_time");
  const facts = Object.fromEntries([...names].map((name) => [name, join(outside, "program")]));
  const lies = { ...facts, ansible_connection: "local", ansible_nspawn_idle_time: 900, ansible_nspawn_busy_timeout: 1 };
  await files(join(directory, "library"), {
    "lie.py": `#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"facts": {"type": "dict"}})
module.exit_json(ansible_facts=module.params["facts"])
`,
  });
  await writeFile(join(tree, "etc/which"), "tree");
  const honest = `ansible_executable: /bin/sh`;
  const env = { ANSIBLE_CACHE_PLUGIN: "jsonfile", ANSIBLE_CACHE_PLUGIN_CONNECTION: join(directory, "facts") };
  const look = `
- {ansible.builtin.raw: cat /etc/which, register: which, vars: {${honest}}}
- {ansible.builtin.copy: {content: x, dest: /root/x}, vars: {${honest}}}
- {ansible.builtin.raw: id, ignore_errors: true}
- ansible.builtin.assert: {that: which.stdout == 'tree'}`;
  const first = await run(`- lie: {facts: ${JSON.stringify(lies)}}${look}`, { env });
  expect(first.stdout).toMatch(succeeded);
  // Waits for the end of the session: the second run starts a session, with the cached facts.
  await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
  const second = await run(`${look}\n- ansible.builtin.meta: reset_connection`, { env });
  expect(second.stdout).toMatch(succeeded);
  expect(await readdir(outside)).not.toContain("executed");
});

test.each([
  ["nothing", "accepts no commands: check that /usr/bin/python3 works in this tree"],
  ["noise", "was killed; the next task starts a new session"],
  ["half a status", "was killed; the next task starts a new session"],
])("an agent that answers with %s: the task fails with one sentence", async (answer, sentence) => {
  const { run } = await withHostileAgent(host, answer);
  const result = await run("- {ansible.builtin.raw: id, ignore_errors: true, ignore_unreachable: true}");
  expect(result.stdout).toContain(sentence);
  expect(result.stdout + result.stderr).not.toMatch(/Traceback|Unexpected/);
});

test("250 MB of output cost the host the memory of 64 MiB, and a module that prints so much fails with one sentence", async () => {
  const { directory, run } = await withHostileAgent(host, "flood");
  await addTransfer(directory);
  const result = await run(`
- {transfer: {do: exec_command, with: [id], room: 250000000}, register: flood}
- {ansible.builtin.ping: , ignore_errors: true, register: module}
- ansible.builtin.assert:
    that:
      - flood.rc == 0 and flood.printed > 64 * 1024 * 1024 and flood.printed < 64 * 1024 * 1024 + 200
      - module is failed and 'printed more than 64 MiB' in module.msg`);
  expect(result.stdout).toMatch(succeeded);
  expect(result.stdout + result.stderr).not.toMatch(/Traceback|Unexpected/);
});

test("a task on an agent that never answers ends at the task's timeout, and the container a little later", async () => {
  const { tree, run } = await withHostileAgent(host, "no end");
  const result = await run("- {ansible.builtin.raw: id, timeout: 2, ignore_errors: true}");
  expect(result.stdout).toMatch(/expected time frame|Timed out after/);
  expect(result.stdout).toMatch(succeeded);
  await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
});

test("descriptors from an agent are not accepted; a long line costs no memory, and deeply nested JSON ends no run", async () => {
  // The count may go down by one: the connection that was opened ahead is used up.
  const { directory, tree, run } = await withHostileAgent(host, "descriptors");
  await addTransfer(directory);
  const becomes = (answer: string): string => onThisHost(`printf %s '${answer}' >${tree}/answer`);
  const result = await run(`
- {transfer: {do: exec_command, with: [id], room: 50000000}, register: descriptors}
- ${becomes("one long line")}
- ${onThisHost(`prlimit --pid $(pgrep --full '${sessionOf(tree)}') --as=100000000`)}
- {ansible.builtin.raw: id, register: line}
- ${becomes("deep")}
- {ansible.builtin.ping: , ignore_errors: true, register: deep}
- ansible.builtin.assert:
    that: [descriptors.rc == 0, descriptors.opened <= 0, line.rc == 0, deep is failed]`);
  expect(result.stdout).toMatch(succeeded);
});

/** Puts hostile.py in the place of the tree's Python. */
async function withHostileAgent(at: ConnectionHost, answer: string): Promise<ConnectionHost> {
  // The agent of the test before serves one connection at a time, and may not see the request to end.
  await expect.poll(() => sessions(at.tree), { timeout: 30_000 }).toEqual([]);
  const python = join(at.tree, "usr/bin/python3");
  await rm(python);
  await copyFile(join(import.meta.dirname, "hostile.py"), python);
  await execa("chmod", ["755", python]);
  await writeFile(join(at.tree, "answer"), answer);
  return at;
}

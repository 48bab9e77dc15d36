// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The Pythons of a tree: another one than the agent's, one that is being replaced, one that is too old for the agent.

import { existsSync } from "node:fs";
import { chmod, cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { connectionHost, containers, succeeded, whichContainer } from "../support/connection-host.ts";
import { processes } from "../support/process.ts";
import { files } from "../support/scratch.ts";

const host = await connectionHost(undefined, "file");
const samePlace = `{ansible.builtin.raw: ${whichContainer}, register: place, failed_when: place.stdout != first.stdout}`;

test("a module that respawns, or has another interpreter set, runs under that interpreter", async () => {
  const { directory, run } = host;
  await files(join(directory, "library"), {
    "respawn.py": `#!/usr/bin/python
import sys
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, respawn_module
module = AnsibleModule(argument_spec={"to": {}})
if module.params["to"] and not has_respawned():
    respawn_module(module.params["to"])
module.exit_json(runs=sys.prefix)
`,
  });
  const result = await run(`
- ansible.builtin.command: python3 -m venv --without-pip /opt/venv
- {respawn: , register: here}
- {respawn: {to: /opt/venv/bin/python3}, register: respawned}
- {respawn: , vars: {ansible_python_interpreter: /opt/venv/bin/python3}, register: other}
- {respawn: , vars: {ansible_python_interpreter: auto_silent}, register: found}
- {respawn: , register: again}
- ansible.builtin.assert:
    that:
    - here.runs == '/usr' and found.runs == '/usr' and again.runs == '/usr'
    - respawned.runs == '/opt/venv' and other.runs == '/opt/venv'`);
  expect(result.stdout).toMatch(succeeded);
});

test("another ansible-core never uses the agent of this ansible-core", async () => {
  const { directory, run } = host;
  const { stdout } = await ansible("ansible", ["--version"], { cwd: directory });
  await cp(/python module location = (.*)/.exec(stdout)?.[1] as string, join(directory, "other/ansible"), {
    recursive: true,
  });
  const container = async (env: Record<string, string>) => {
    const result = await run(
      `
- {ansible.builtin.raw: ${whichContainer}, vars: {ansible_nspawn_idle_time: 60}, register: place}
- ansible.builtin.debug: {var: place.stdout}`,
      { env },
    );
    return /"place.stdout": "(\d+)/.exec(result.stdout)?.[1];
  };
  const first = await container({});
  expect(await container({})).toBe(first);
  const other = await container({ PYTHONPATH: join(directory, "other") });
  expect(other).toMatch(/^\d+$/);
  expect(other).not.toBe(first);
});

test("module code beside a playbook, with the name of a file of Ansible's, is used by this playbook alone", async () => {
  const { directory, run } = host;
  await files(join(directory, "library"), {
    "shadowed.py": `#!/usr/bin/python
from ansible.module_utils import urls
from ansible.module_utils.basic import AnsibleModule
AnsibleModule(argument_spec={}).exit_json(shadowed=hasattr(urls, "SHADOW"))
`,
  });
  const containers = new Set<string | undefined>();
  const expectShadowed = async (shadowed: boolean) => {
    const result = await run(`
- {ansible.builtin.raw: ${whichContainer}, vars: {ansible_nspawn_idle_time: 60}, register: place}
- {shadowed: , register: first}
- {shadowed: , register: second}
- ansible.builtin.debug: {var: place.stdout}
- ansible.builtin.assert: {that: [first.shadowed == ${shadowed}, second.shadowed == ${shadowed}]}`);
    expect(result.stdout).toMatch(succeeded);
    containers.add(/"place.stdout": "(\d+)/.exec(result.stdout)?.[1]);
  };
  await expectShadowed(false);
  await files(directory, { "module_utils/urls.py": "SHADOW = True\n" });
  await expectShadowed(true);
  await rm(join(directory, "module_utils"), { recursive: true });
  await expectShadowed(false);
  expect(containers.size).toBe(1);
});

test("an agent whose Python vanishes for a while stays in the same container, and serves modules again afterwards", async () => {
  const { directory, run } = host;
  await files(directory, { "script.sh": "#!/bin/sh\necho script\n" });
  const result = await run(`
- {ansible.builtin.raw: ${whichContainer}, register: first}
- ansible.builtin.ping:
- ansible.builtin.raw: mv /usr/lib/python3.11 /usr/lib/away
- ${samePlace}
- {ansible.builtin.script: script.sh, register: script}
- {ansible.builtin.ping: , register: module, ignore_errors: true}
- ansible.builtin.raw: mv /usr/lib/away /usr/lib/python3.11
- ${samePlace}
- {ansible.builtin.shell: "tr '\\\\0' ' ' </proc/$PPID/cmdline", register: warm}
- ansible.builtin.assert:
    that: [script.stdout | trim == 'script', module is failed, "'/proc/self/fd/4' in warm.stdout"]`);
  expect(result.stdout).toMatch(succeeded);
});

test("Python code that a task installs can be imported by the module of the next task", async () => {
  const { directory, run } = host;
  const module = "from ansible.module_utils.basic import AnsibleModule\nimport newly";
  await files(directory, {
    "library/uses.py": `#!/usr/bin/python\n${module}\nAnsibleModule(argument_spec={}).exit_json(word=newly.word)\n`,
  });
  const result = await run(`
- {uses: , register: before, ignore_errors: true}
- ansible.builtin.copy: {content: "word = 'there'", dest: /usr/lib/python3/dist-packages/newly.py}
- {uses: , register: after}
- ansible.builtin.copy: {content: "", dest: /usr/lib/python3/dist-packages/newly.py}
- ansible.builtin.assert: {that: [before is failed, after.word == 'there']}`);
  expect(result.stdout).toMatch(succeeded);
});

test("a run that waited while another run replaced Python uses the new Python alone", async () => {
  const { directory, tree, run } = host;
  const begun = join(tree, "root/begun");
  const replace =
    "cp --archive /usr/bin/python3.11 /usr/bin/python3.new && mv /usr/bin/python3.new /usr/bin/python3.11";
  // The agent, and one fork for each of the two runs.
  const waits = "[ $(grep -lsz '^/proc/self/fd/4$' /proc/[0-9]*/cmdline | wc --lines) -ge 3 ]";
  const first = run(`
- raw: touch /root/begun; until ${waits}; do sleep 0.1; done; ${replace}
  vars: {ansible_nspawn_idle_time: 60}`);
  await expect.poll(() => existsSync(begun), { timeout: 60_000 }).toBe(true);
  const agent = "tr '\\0' ' ' </proc/$PPID/cmdline";
  const second = ansible("ansible", ["-i", "hosts.yml", "img", "-m", "ansible.builtin.shell", "-a", agent], {
    cwd: directory,
    env: { ANSIBLE_NSPAWN_BUSY_TIMEOUT: "60" },
  });
  expect((await first).stdout).toMatch(succeeded);
  const { exitCode, stdout } = await second;
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining("python3")]);
  expect(stdout).not.toContain("/proc/self/fd/4");
});

test("a Python that is too old for the agent runs modules with the same results, with a container for each", async () => {
  const { tree, run } = host;
  const python = join(tree, "usr/bin/python3");
  await rm(python);
  const old =
    'case "$1" in /proc/self/fd/*) echo "SyntaxError: future feature annotations is not defined" >&2; exit 1 ;; esac';
  await files(tree, { "usr/bin/python3": `#!/bin/sh\n${old}\nexec /usr/bin/python3.11 "$@"\n` });
  await chmod(python, 0o755);
  const result = await run(`
- ansible.builtin.meta: reset_connection
- ansible.builtin.setup:
- ansible.builtin.user: {name: joe}
- {ansible.builtin.command: id -un, become: true, become_user: joe, become_method: su, register: joe}
- {ansible.builtin.copy: {content: kept, dest: /root/kept}}
- {ansible.builtin.slurp: {src: /root/kept}, register: kept}
- {ansible.builtin.shell: sleep 4715, timeout: 9, register: late, ignore_errors: true}
- {ansible.builtin.command: sleep 1, async: 9, register: background, ignore_errors: true}
- ansible.builtin.assert:
    that:
    - joe.stdout == 'joe' and kept.content | b64decode == 'kept' and late is failed
    - background.msg is search('async needs a container that outlives the task, and .* has none, since SyntaxError')`);
  expect(result.stdout).toMatch(succeeded);
  expect(containers(tree)).toEqual([]);
  expect(processes(/^sleep 4715$/)).toEqual([]);
});

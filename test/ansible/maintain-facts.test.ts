// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance of a tree with a Python that answers each module with false facts, in each version of Ansible.

import { readdirSync } from "node:fs";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ansibleProgram, withChrootConnection } from "../support/ansible.ts";
import { playbook, type RunnerHost, recap, runnerHost, sentence, summary } from "../support/runner-host.ts";
import { files } from "../support/scratch.ts";

const cached = { ANSIBLE_CACHE_PLUGIN: "jsonfile", ANSIBLE_CACHE_PLUGIN_CONNECTION: "facts" };

/** Tasks that read files and run programs of the host, by variables of Ansible and of the user. */
const tasks = `
- command: one
- command: two
- include_tasks: "{{ inventory_dir }}/common.yml"
- include_tasks: "{{ (inventory_file | dirname) ~ '/common.yml' }}"
- include_tasks: "{{ role_path | default(playbook_dir) }}/common.yml"
- command: "{{ ansible_playbook_python }} --version"
  delegate_to: localhost
- debug: {msg: "still {{ ansible_host }} by {{ ansible_connection }} of {{ inventory_hostname }}"}
- command: three
  loop: [1, 2]
  loop_control: {label: "label {{ lookup('file', own ~ '/which') }} {{ lookup('file', 'which') }}"}
  vars: {own: "{{ playbook_dir }}/files"}
- command: id
  delegate_to: "{{ item }}"
  loop: ["{{ inventory_hostname }}", localhost]
`;

/** Of a maintenance only: variables of an inventory and defaults of roles, which facts override in a run in place. */
const ownTasks = `
- debug: {msg: "scripts {{ scripts }}"}
- include_role: {name: web}
- group_by: {key: dynamic}
- debug: {msg: "dynamic {{ dynamic }}"}
`;

test.each([
  ["without a fact cache", "nspawn.runner.nspawn", {}],
  ["with a fact cache", "nspawn.runner.nspawn", cached],
  ["by the chroot connection, with a fact cache", "community.general.chroot", { ...cached, ...withChrootConnection() }],
])("false facts change no decision on the host, %s", async (_, connection, cache: Record<string, string>) => {
  const host = await hostileHost(connection, tasks + ownTasks);
  // The second run reads the cache of the first.
  for (const round of "ANSIBLE_CACHE_PLUGIN" in cache ? [1, 2] : [1]) {
    const result = await host.run(["site.yml"], { env: cache });
    expect(sentence(result, "evil"), `run ${round}`).toBe("");
    expect(recap(result, "evil")).toMatchObject({ failed: 0, unreachable: 0 });
    expect(summary(result, "other")[0]).toBe("unchanged");
    expect(result.stdout).toContain(`still ${host.state("evil", "staged")} by ${connection} of evil`);
    expect(result.stdout.match(/label of the host of the host/g)).toHaveLength(2);
    for (const name of ["scripts", "web", "dynamic"]) expect(result.stdout).toContain(`${name} of the user`);
    expect(result.stdout.match(/honest tasks/g)?.length).toBeGreaterThanOrEqual(3);
    await expect(stat(host.owned), "a program of the host ran").rejects.toThrow();
    expect(await readFile(host.state("evil", "container"), "utf8")).toBe("");
  }
  if ("ANSIBLE_CACHE_PLUGIN" in cache) expect(readdirSync(join(host.directory, "facts")).join()).toContain("evil");
});

test("false facts change no variable of Ansible in a run in place", async () => {
  const host = await hostileHost("nspawn.runner.nspawn", tasks);
  const result = await host.run(["evil.yml"]);
  expect(recap(result, "evil"), result.stdout).toMatchObject({ failed: 0, unreachable: 0 });
  expect(result.stdout).toContain(`still ${host.root}/evil by nspawn.runner.nspawn of evil`);
  expect(result.stdout.match(/honest tasks/g)?.length).toBeGreaterThanOrEqual(3);
  await expect(stat(host.owned), "a program of the host ran").rejects.toThrow();
});

/** A host with the images `other` and `evil`. `owned` is a file that a program of the host writes when a fact has it run. */
async function hostileHost(connection: string, text: string): Promise<RunnerHost & { owned: string }> {
  const host = await runnerHost(
    {
      "evil.yml": playbook("evil", text).replace("gather_facts: false", "gather_facts: true"),
      "other.yml": playbook("other", "- debug:"),
      "common.yml": "- debug: {msg: honest tasks}\n",
      "files/which": "of the host",
      "group_vars/all.yml": "scripts: of the user\n",
      "group_vars/dynamic.yml": "dynamic: of the user\n",
      "roles/web/defaults/main.yml": "web: of the user\n",
      "roles/web/tasks/main.yml": '- debug: {msg: "web {{ web }}"}\n',
    },
    ["evil", "other"],
  );
  const inventory = join(host.directory, "nspawn_runner.yml");
  await writeFile(inventory, `${await readFile(inventory, "utf8")}connection: ${connection}\n`);
  const owned = join(host.directory, "owned");
  const program = join(host.directory, "program");
  await files(host.directory, {
    program: `#!/bin/sh\necho "$0 $*" >>${owned}\n`,
    "theirs.yml": `- hosts: localhost\n  tasks: [{command: ${program}}]\n`,
  });
  // A directory of the tree, by its path on the host.
  const tree = join(host.root, "evil");
  const trap = join(host.root, "evil/trap");
  await files(trap, {
    "common.yml": `- command: ${program}\n  delegate_to: localhost\n  vars: {ansible_python_interpreter: /usr/bin/python3}\n`,
    which: "of the tree",
    "nspawn_runner.yml": "",
    run: `#!/bin/sh\n${program}\n`,
  });
  const facts = {
    ...Object.fromEntries((await namesOfAnsible()).map((name) => [name, trap])),
    ...Object.fromEntries((await namesOfTheCollection()).map((name) => [name, [program]])),
    ...connectionVariables(program),
    ...identity(host.directory, trap, program),
  };
  const python = join(tree, "usr/bin/python3");
  await files(tree, {
    "facts.json": JSON.stringify({ changed: false, ansible_facts: facts }),
    "usr/bin/python3": "#!/bin/sh\ncat /facts.json\n",
  });
  await chmod(program, 0o755);
  await chmod(join(trap, "run"), 0o755);
  await chmod(python, 0o755);
  return { ...host, owned };
}

/** All names in Ansible's source that are variables of a host, of a play or of a task, or options of a plugin. */
async function namesOfAnsible(): Promise<string[]> {
  const { stdout: version } = await execa(ansibleProgram("ansible-playbook"), ["--version"]);
  const [, top] = /python module location = (.*)/.exec(version) as unknown as [string, string];
  // Options: "name: ansible_x"; variables: variables["x"]; lists of names.
  const pattern = String.raw`name: ansible_\w+|variables\[['"]\w+['"]\]|['"](ansible|inventory|role|group|play)_?\w+['"]`;
  const options = ["--include=*.py", "--include=base.yml", "--exclude-dir=modules"];
  const found = await execa("grep", ["-rhoE", ...options, pattern, top]);
  // A fact network_os chooses modules that gather facts in the image. Without one for it, the tree has its own image fail.
  const names = [...new Set(found.stdout.match(/\w+(?=\W*$)/gm))].filter((name) => name !== "ansible_network_os");
  expect(names).toEqual(
    expect.arrayContaining(["inventory_dir", "playbook_dir", "ansible_delegated_vars", "role_path"]),
  );
  return names;
}

/** All variables of the specification. */
async function namesOfTheCollection(): Promise<string[]> {
  const spec = await readFile(join(import.meta.dirname, "../../generated/spec.json"), "utf8");
  const names = new Set([...spec.matchAll(/"((?:ansible|nspawn_runner)_[a-z_]+)"/g)].map(([, name]) => name as string));
  expect([...names]).toContain("nspawn_runner_create_command");
  return [...names];
}

const connectionVariables = (program: string) => ({
  ansible_chroot_exe: program,
  ansible_connection: "local",
  ansible_host: "/",
  ansible_become: true,
  ansible_become_exe: program,
  ansible_become_method: "sudo",
  ansible_local_tmp: "/etc",
  ansible_pipelining: false,
  ansible_playbook_python: program,
  ansible_python_interpreter: program,
  ansible_shell_executable: program,
  ansible_ssh_executable: program,
});

const identity = (directory: string, trap: string, program: string) => ({
  ansible_delegated_vars: { localhost: { ansible_connection: "local", ansible_python_interpreter: program } },
  ansible_play_hosts_all: ["nobody"],
  ansible_search_path: [trap],
  dynamic: "of the tree",
  group_names: ["nobody"],
  groups: {},
  hostvars: {},
  inventory_dir: trap,
  inventory_file: join(trap, "nspawn_runner.yml"),
  inventory_hostname: "other",
  nspawn_runner_maint_recreate: true,
  nspawn_runner_playbook: join(directory, "theirs.yml"),
  nspawn_runner_result: { failed: true, msg: "as the tree says" },
  own: trap,
  playbook_dir: trap,
  role_path: trap,
  scripts: "of the tree",
  web: "of the tree",
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance of a tree that returns false facts, and maintenance that is killed.

import { readdirSync } from "node:fs";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, inject, test } from "vitest";
import { withChrootConnection } from "../support/ansible.ts";
import { type Process, processes, until } from "../support/process.ts";
import { killed, playbook, recap, runnerHost, sentence, started, summary } from "../support/runner-host.ts";
import { files, mountsBeneath } from "../support/scratch.ts";

const cached = { ANSIBLE_CACHE_PLUGIN: "jsonfile", ANSIBLE_CACHE_PLUGIN_CONNECTION: "facts" };

describe("a tree whose Python returns false facts", () => {
  test.each([
    ["without a fact cache", "nspawn.runner.nspawn", {}],
    ["with a fact cache", "nspawn.runner.nspawn", cached],
    [
      "by the chroot connection, with a fact cache",
      "community.general.chroot",
      { ...cached, ...withChrootConnection() },
    ],
  ])("changes no decision on the host, %s", async (_, connection, cache: Record<string, string>) => {
    const tasks = [
      "- command: one",
      "- command: two",
      "- raw: hostname",
      "- command: id\n  delegate_to: localhost",
      "- debug: {msg: 'still {{ ansible_host }} by {{ ansible_connection }}'}",
    ];
    const text = playbook("evil", tasks.join("\n")).replace("gather_facts: false", "gather_facts: true");
    const host = await runnerHost({ "evil.yml": text, "other.yml": playbook("other", "- debug:") }, ["evil", "other"]);
    const inventory = join(host.directory, "nspawn_runner.yml");
    await writeFile(inventory, `${await readFile(inventory, "utf8")}connection: ${connection}\n`);
    const owned = join(host.directory, "owned");
    const program = join(host.directory, "program");
    await files(host.directory, {
      program: `#!/bin/sh\necho "$0 $*" >>${owned}\n`,
      "theirs.yml": `- hosts: localhost\n  tasks: [{command: ${program}}]\n`,
    });
    await chmod(program, 0o755);
    const facts = { ...(await everyVariable(program)), ...connectionVariables(program) };
    const python = join(host.root, "evil/usr/bin/python3");
    await writeFile(
      join(host.root, "evil/facts.json"),
      JSON.stringify({ changed: false, ansible_facts: { ...facts, ...identity(host.directory) } }),
    );
    await writeFile(python, "#!/bin/sh\ncat /facts.json\n");
    await chmod(python, 0o755);

    for (const round of [1, 2]) {
      const result = await host.run(["site.yml"], { env: cache });
      expect(sentence(result, "evil"), `run ${round}`).toBe("");
      expect(recap(result, "evil")).toMatchObject({ failed: 0, unreachable: 0 });
      expect(summary(result, "other")[0]).toBe("unchanged");
      expect(result.stdout).toContain(`still ${host.state("evil", "staged")} by ${connection}`);
      await expect(stat(owned), "a program of the host ran").rejects.toThrow();
      expect(await readFile(host.state("evil", "container"), "utf8")).toBe("");
    }
    if ("ANSIBLE_CACHE_PLUGIN" in cache) expect(readdirSync(join(host.directory, "facts")).join()).toContain("evil");
  });

  test("cannot print control characters on the terminal", async () => {
    const task = "- raw: printf 'a\\033]0;title\\007b\\n' >&2; false\n";
    const host = await runnerHost({ "aa.yml": playbook("aa", task) }, ["aa"]);
    const result = await host.run(["site.yml"], { env: { ANSIBLE_STDOUT_CALLBACK: "minimal" } });
    expect(result.exitCode).toBe(2);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
    expect(result.stdout).not.toMatch(/[\u0007\u001b]/);
  });
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

/** All variables of the specification, each with a value that would run the program or break the type. */
async function everyVariable(program: string): Promise<Record<string, unknown>> {
  const module = "ansible_collections.nspawn.runner.plugins.module_utils._spec.variables";
  const code = `import json\nfrom ${module} import DERIVED, VARIABLES\nprint(json.dumps([*DERIVED, *VARIABLES]))`;
  const { stdout } = await execa("python3", ["-c", code], { env: { PYTHONPATH: inject("collections") } });
  const names = JSON.parse(stdout) as string[];
  expect(names).toContain("nspawn_runner_create_command");
  return Object.fromEntries(names.map((name) => [name, [program]]));
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

const identity = (directory: string) => ({
  ansible_delegated_vars: { localhost: { ansible_connection: "local", ansible_python_interpreter: "/nonexistent" } },
  ansible_play_hosts_all: ["nobody"],
  group_names: ["nobody"],
  groups: {},
  hostvars: {},
  inventory_hostname: "other",
  nspawn_runner_maint_recreate: true,
  nspawn_runner_playbook: join(directory, "theirs.yml"),
  nspawn_runner_result: { failed: true, msg: "as the tree says" },
});

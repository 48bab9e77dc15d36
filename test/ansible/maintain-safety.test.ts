// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance with a tree that lies, and maintenance that is killed.

import { readdirSync, readFileSync } from "node:fs";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { ansibleEnvironment, ansibleProgram } from "../support/ansible.ts";
import { files, mountsBeneath } from "../support/scratch.ts";
import { playbook, recap, runnerHost, sentence, summary } from "./maintain-host.ts";

describe("a tree whose Python answers with facts of its choice", () => {
  test.each([
    ["without a fact cache", {}],
    ["with a fact cache", { ANSIBLE_CACHE_PLUGIN: "jsonfile", ANSIBLE_CACHE_PLUGIN_CONNECTION: "facts" }],
  ])("decides nothing on the host, %s", async (_, cache) => {
    const tasks = [
      "- command: one",
      "- command: two",
      "- raw: hostname",
      "- command: id\n  delegate_to: localhost",
      "- debug: {msg: 'still {{ ansible_host }} by {{ ansible_connection }}'}",
    ];
    const text = playbook("evil", tasks.join("\n")).replace("gather_facts: false", "gather_facts: true");
    const host = await runnerHost({ "evil.yml": text, "other.yml": playbook("other", "- debug:") }, ["evil", "other"]);
    const owned = join(host.directory, "owned");
    const program = join(host.directory, "program");
    await files(host.directory, {
      program: `#!/bin/sh\necho "$0 $*" >>${owned}\n`,
      "theirs.yml": `- hosts: localhost\n  tasks: [{command: ${program}}]\n`,
    });
    await chmod(program, 0o755);
    const facts = { ...(await everyVariable(program)), ...connectionVariables(program) };
    const python = join(host.root, "evil/usr/bin/python3");
    await writeFile(join(host.root, "evil/facts.json"), JSON.stringify({ changed: false, ansible_facts: { ...facts, ...identity(host.directory) } }));
    await writeFile(python, "#!/bin/sh\ncat /facts.json\n");
    await chmod(python, 0o755);

    for (const round of [1, 2]) {
      const result = await host.run(["site.yml"], { env: cache });
      expect(sentence(result, "evil"), `run ${round}`).toBe("");
      expect(recap(result, "evil")).toMatchObject({ failed: 0, unreachable: 0 });
      expect(summary(result, "other")[0]).toBe("unchanged");
      expect(result.stdout).toContain(`still ${join(host.root, "evil")} by community.general.chroot`);
      await expect(stat(owned), "a program of the host ran").rejects.toThrow();
      expect(await readFile(host.state("evil", "container"), "utf8")).toBe("");
    }
    if ("ANSIBLE_CACHE_PLUGIN" in cache) expect(readdirSync(join(host.directory, "facts")).join()).toContain("evil");
  });

  test("cannot put control characters on the terminal", async () => {
    const task = "- raw: printf 'a\\033]0;title\\007b\\n' >&2; false\n";
    const host = await runnerHost({ "aa.yml": playbook("aa", task) }, ["aa"]);
    const result = await host.run(["site.yml"], { env: { ANSIBLE_STDOUT_CALLBACK: "minimal" } });
    expect(result.exitCode).toBe(2);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(result.stdout).not.toMatch(/[\u0007\u001b]/);
  });
});

describe("SIGKILL", () => {
  test("of the outer run ends all that it started", async () => {
    const { host, killed } = await sleeping("4194301");
    const outer = processes(host.directory).filter((candidate) => candidate.parent === process.pid);
    expect(outer).toHaveLength(1);
    process.kill((outer[0] as Process).pid, "SIGKILL");
    await killed;
    await until(() => processes(host.directory).length === 0 && processes("4194301").length === 0);
    expect(mountsBeneath(host.directory)).toEqual([]);
    // Nothing holds the image.
    await writeFile(join(host.directory, "aa.yml"), playbook("aa", "- raw: 'true'\n  changed_when: false"));
    const next = await host.run(["site.yml"]);
    expect(summary(next, "aa")[0]).toBe("unchanged");
  });

  test("of one image's run fails this image, and says so", async () => {
    const { host, killed } = await sleeping("4194303");
    const inner = processes(join(host.directory, "aa.yml")).filter(({ command }) => /python\S* \S*ansible-playbook --limit aa/.test(command));
    const first = inner.reduce((oldest, candidate) => (candidate.pid < oldest.pid ? candidate : oldest));
    process.kill(first.pid, "SIGKILL");
    const result = await killed;
    expect(result.exitCode).toBe(2);
    expect(sentence(result, "aa")).toMatch(/was ended by signal SIGKILL before its end .*last\.log/);
    await until(() => processes("4194303").length === 0);
  });
});

interface Process {
  pid: number;
  parent: number;
  command: string;
}

/** A maintenance whose only image sleeps for a number of seconds that nobody else sleeps for. */
async function sleeping(seconds: string) {
  const host = await runnerHost({ "aa.yml": playbook("aa", `- raw: sleep ${seconds}`) }, ["aa"]);
  onTestFinished(() => {
    for (const { pid } of [...processes(host.directory), ...processes(seconds)]) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {} // ended meanwhile
    }
  });
  const inventory = join(host.directory, "nspawn_runner.yml");
  const killed = execa(ansibleProgram("ansible-playbook"), ["-i", inventory, "site.yml"], {
    cwd: host.directory,
    env: ansibleEnvironment(),
    reject: false,
  }).then(({ exitCode, stdout, stderr }) => ({ exitCode: exitCode ?? -1, stdout, stderr }));
  await until(() => processes(seconds).some(({ command }) => /^(\S*busybox )?sleep /.test(command)));
  return { host, killed };
}

/** Processes whose command line has this text. */
function processes(text: string): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1]);
        return command.includes(text) ? [{ pid: Number(name), parent, command }] : [];
      } catch {
        return []; // ended meanwhile
      }
    });
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !condition(); ) {
    if (Date.now() > end) throw new Error("This did not happen within 20 seconds");
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** All variables of the specification, each with a value that would run the program or break the type. */
async function everyVariable(program: string): Promise<Record<string, unknown>> {
  const module = "ansible_collections.nspawn.runner.plugins.module_utils._variables";
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


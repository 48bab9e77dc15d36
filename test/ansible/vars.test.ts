// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The vars plugin with static inventories, and the precedence of variables.

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { type AnsibleResult, ansible } from "../support/ansible.ts";
import { countOf, playbook } from "../support/inventory-host.ts";
import { files, scratch } from "../support/scratch.ts";

const behind = "host_group_vars,nspawn.runner.playbook_vars";
const before = "nspawn.runner.playbook_vars,host_group_vars";

const show = `- hosts: all
  gather_facts: false
  vars: {ansible_connection: local}
  tasks:
    - debug: msg="{{ inventory_hostname }}={{ nspawn_runner_mirror | default('-') }},{{ nspawn_runner_error | default('-') }},{{ ansible_host }}"
`;

let directory: string;

beforeEach(async () => {
  directory = await files(scratch(), {
    "inventory/hosts.yml":
      "nspawn_runner:\n  hosts:\n    sid:\n      nspawn_runner_mirror: inventory\n    bad:\n    none:\n    ../inventory/sid:\n    /sid:\nother:\n  hosts:\n    outside:\n",
    "inventory/sid.yml": playbook(
      "base: book",
      "nspawn_runner_mirror: \"{{ base | default('play') }}{{ suffix }}\"",
      "ansible_host: /evil",
      "ansible_connection: none",
    ),
    "inventory/outside.yml": playbook("nspawn_runner_mirror: outside"),
    "inventory/bad.yml": playbook("nspawn_runner_miror: x"),
    "play/show.yml": show,
    "images/": "",
  });
});

async function play(
  args: readonly string[] = [],
  enabled = behind,
  env: Record<string, string> = {},
): Promise<AnsibleResult> {
  return ansible("ansible-playbook", ["-i", "inventory/hosts.yml", "-e", "suffix=book", ...args, "play/show.yml"], {
    cwd: directory,
    env: { ANSIBLE_VARS_ENABLED: enabled, NSPAWN_RUNNER_ROOT: join(directory, "images"), ...env },
  });
}

/** Mirror, error and address that the play shows for a host. */
function shown(run: AnsibleResult, host: string): string | undefined {
  return new RegExp(`"msg": "${host}=(.*)"`).exec(run.stdout)?.[1];
}

describe("nspawn.runner.playbook_vars", () => {
  test("gives an image's variables to hosts of the group nspawn_runner only; templates are rendered; no connection, no address", async () => {
    const run = await play();
    expect(run.exitCode, run.stdout + run.stderr).toBe(0);
    expect(shown(run, "sid")).toBe("playbook,-,sid");
    expect(shown(run, "none")).toBe("-,-,none");
    expect(shown(run, "outside")).toBe("-,-,outside");
  });

  test("takes no empty variable of the environment for the current directory", async () => {
    const run = await play([], behind, { NSPAWN_RUNNER_ROOT: "" });
    expect(run.exitCode).not.toBe(0);
    expect(run.stdout + run.stderr).toContain("NSPAWN_RUNNER_ROOT in the environment is empty");
  });

  test("gives nothing but an error to hosts whose names are paths", async () => {
    const run = await play();
    for (const name of ["../inventory/sid", "/sid"])
      expect(shown(run, name)).toMatch(
        new RegExp(`^-,no image can have the name '${name}': .*: rename the host.*,${name}$`),
      );
  });

  test("gives the error of a bad playbook, with one warning, and the play goes on", async () => {
    const run = await play();
    const message = `${join(directory, "inventory/bad.yml")}:4: unknown variable nspawn_runner_miror; the nearest known one is nspawn_runner_mirror`;
    expect(shown(run, "bad")).toBe(`-,${message},bad`);
    expect(countOf(`[WARNING]: Image bad: ${message}`, run.stderr + run.stdout)).toBe(1);
  });

  test("does nothing without being enabled", async () => {
    expect(shown(await play([], "host_group_vars"), "sid")).toBe("inventory,-,sid");
  });

  test("works at the start of a run, and for ansible-inventory", async () => {
    const env = {
      ANSIBLE_VARS_ENABLED: behind,
      ANSIBLE_RUN_VARS_PLUGINS: "start",
      NSPAWN_RUNNER_ROOT: join(directory, "images"),
    };
    const { stdout } = await ansible("ansible-inventory", ["-i", "inventory/hosts.yml", "--host", "sid"], {
      cwd: directory,
      env,
    });
    expect(JSON.parse(stdout)).toMatchObject({ nspawn_runner_mirror: "{{ base | default('play') }}{{ suffix }}" });
    expect(JSON.parse(stdout)).not.toHaveProperty("ansible_host");
  });

  test("finds playbooks by the environment and by ansible.cfg, relative to the inventory", async () => {
    await files(directory, {
      "elsewhere/none.yml": playbook("nspawn_runner_mirror: elsewhere"),
      "ansible.cfg": `[nspawn_runner]\nplaybook_dirs = ../elsewhere, .\nroot = ${directory}/images\n`,
    });
    expect(shown(await play([], behind, { NSPAWN_RUNNER_PLAYBOOK_DIRS: "../elsewhere" }), "none")).toBe(
      "elsewhere,-,none",
    );
    const run = await play();
    expect(shown(run, "none")).toBe("elsewhere,-,none");
    expect(shown(run, "sid")).toBe("playbook,-,sid");
  });

  test("reads a playbook once per run, not per task", async () => {
    const tasks = Array.from({ length: 10 }, () => "    - debug: msg=x\n").join("");
    await writeFile(
      join(directory, "play/show.yml"),
      `- hosts: sid\n  gather_facts: false\n  vars: {ansible_connection: local}\n  tasks:\n${tasks}`,
    );
    // Python runs this module at each start. The workers are forks, which keep the hook.
    const hook = `import os, sys
path, log = "${directory}/inventory/sid.yml", os.open("${directory}/opened", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sys.addaudithook(lambda event, args: os.write(log, b"x") if event == "open" and args[0] == path else None)
`;
    await files(directory, { "python/sitecustomize.py": hook, opened: "" });
    const run = await play([], behind, { PYTHONPATH: join(directory, "python") });
    expect(run.exitCode, run.stdout + run.stderr).toBe(0);
    expect(run.stdout.match(/"msg": "x"/g)).toHaveLength(10);
    expect(await readFile(join(directory, "opened"), "utf8")).toBe("x");
  });
});

describe("the precedence over a playbook's variables", () => {
  const sid = async (args: readonly string[] = [], enabled = behind) =>
    shown(await play(args, enabled), "sid")?.split(",")[0];

  test.each(["inventory", "play"])("group_vars beside the %s: lower", async (place) => {
    for (const group of ["all", "nspawn_runner"]) {
      await files(directory, { [`${place}/group_vars/${group}.yml`]: "nspawn_runner_mirror: group\n" });
      expect(await sid()).toBe("playbook");
    }
  });

  test("group_vars: used for variables that the playbook does not set", async () => {
    await files(directory, { "inventory/group_vars/nspawn_runner.yml": "nspawn_runner_mirror: group\n" });
    expect(shown(await play(), "none")).toBe("group,-,none");
  });

  test("host_vars beside the inventory: lower, when the plugin is named last", async () => {
    await files(directory, { "inventory/host_vars/sid.yml": "nspawn_runner_mirror: host\n" });
    expect(await sid()).toBe("playbook");
  });

  test("host_vars beside the playbook that is run: higher, in either order", async () => {
    await files(directory, { "play/host_vars/sid.yml": "nspawn_runner_mirror: host\n" });
    expect(await sid()).toBe("host");
    expect(await sid([], before)).toBe("host");
  });

  test("-e: higher", async () => {
    expect(await sid(["-e", "nspawn_runner_mirror=extra"])).toBe("extra");
  });

  test("with the inventory plugin: host_vars and -e higher, group_vars lower", async () => {
    await files(directory, {
      "inventory/nspawn_runner.yml": "plugin: nspawn.runner.chroots\nroot: ../images\nplaybook_dirs: [.]\n",
      "inventory/group_vars/all.yml": "nspawn_runner_mirror: group\nnspawn_runner_variant: group\n",
      "inventory/group_vars/nspawn_runner.yml": "nspawn_runner_mirror: group\n",
    });
    const mirror = async (...args: string[]) => {
      const run = await ansible(
        "ansible-playbook",
        ["-i", "inventory/nspawn_runner.yml", "-e", "suffix=book", ...args, "play/show.yml"],
        { cwd: directory },
      );
      return shown(run, "sid")?.split(",")[0];
    };
    expect(await mirror()).toBe("playbook");
    expect(await mirror("-e", "nspawn_runner_mirror=extra")).toBe("extra");
    await files(directory, { "inventory/host_vars/sid.yml": "nspawn_runner_mirror: host\n" });
    expect(await mirror()).toBe("host");
    await rm(join(directory, "inventory/host_vars"), { recursive: true });
    await files(directory, { "play/host_vars/sid.yml": "nspawn_runner_mirror: host\n" });
    expect(await mirror()).toBe("host");
  });
});

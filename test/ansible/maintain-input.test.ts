// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance and users' mistakes: one sentence with the remedy, and the other images unharmed.

import { existsSync } from "node:fs";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { asNobody } from "../support/ansible.ts";
import { playbook, runnerHost, sentence, summary } from "../support/runner-host.ts";
import { scratch } from "../support/scratch.ts";

const fine = playbook("all", "- debug: {msg: nothing}");

describe("an image's variables", () => {
  const cases: [image: string, vars: string, message: string | RegExp][] = [
    [
      "choice",
      "nspawn_runner_variant: tiny",
      "nspawn_runner_variant in {aa}:3: must be one of minbase, buildd, not 'tiny'",
    ],
    ["list", "nspawn_runner_binds: {a: b}", "nspawn_runner_binds in {aa}:3: must be a list of strings, not"],
    [
      "element",
      "nspawn_runner_capabilities: [[CAP_SYS_PTRACE]]",
      "nspawn_runner_capabilities in {aa}:3: must be a list of strings",
    ],
    ["mapping", "nspawn_runner_environment: [a]", "nspawn_runner_environment in {aa}:3: must be a mapping"],
    ["bool", "nspawn_runner_seccomp: maybe", "nspawn_runner_seccomp in {aa}:3: must be true or false, not 'maybe'"],
    ["number", "nspawn_runner_keep_days: -1", /nspawn_runner_keep_days.*\{aa\}.*: must be 0 or more, not -1/],
    ["word", "nspawn_runner_keep_days: many", "nspawn_runner_keep_days in {aa}:3: must be a whole number, not 'many'"],
    [
      "rendered",
      "parts: [1], nspawn_runner_network: '{{ parts }}'",
      "nspawn_runner_network in {aa}:3: must be one of host, none",
    ],
    [
      "undefined",
      "nspawn_runner_mirror: '{{ nowhere }}'",
      /nspawn_runner_mirror in \{aa\}:3 cannot be rendered: .*nowhere/,
    ],
    [
      "relative",
      "nspawn_runner_binds: [srv/x]",
      "'srv/x' is not SOURCE, SOURCE:TARGET or SOURCE:TARGET:ro with absolute paths",
    ],
    ["inside", "nspawn_runner_binds: ['+/etc:/mnt']", "'+/etc:/mnt' is not SOURCE"],
    ["mode", "nspawn_runner_binds: ['/srv:/srv:rw,x']", "'/srv:/srv:rw,x' is not SOURCE"],
    ["absent", "nspawn_runner_binds: ['/srv/none-such:/srv']", "'/srv/none-such' does not exist on this host"],
    ["newline", 'nspawn_runner_binds: ["/srv:/srv\\n--bind=/"]', "holds a control character"],
    ["env-name", "nspawn_runner_environment: {'A B': c}", "'A B' is not a name for an environment variable"],
    ["env-value", 'nspawn_runner_environment: {A: "b\\n--bind=/"}', "the value of A holds a line break"],
    ["env-bool", "nspawn_runner_environment: {A: yes}", "the value of A must be a string in quotes"],
    ["cap", "nspawn_runner_capabilities: [all]", "'all' is not a capability such as CAP_NET_ADMIN"],
    ["mknod", "nspawn_runner_capabilities: [CAP_MKNOD]", "CAP_MKNOD is never given"],
    [
      "no-source",
      "nspawn_runner_variant: minbase",
      "set nspawn_runner_chroot_suite or nspawn_runner_create_command or nspawn_runner_tarball",
    ],
    ["unreadable", "nspawn_runner_chroot_siute: x", "nspawn_runner_chroot_suite"],
  ];

  test("are refused for each image alone, before a change", async () => {
    const broken = cases.map(([image, vars]) => [`${image}.yml`, playbook(image, "- debug:", vars)] as const);
    const host = await runnerHost({ ...Object.fromEntries(broken), "good.yml": fine }, ["good"]);
    const result = await host.run(["site.yml", "--forks", "10"]);
    expect(result.exitCode).toBe(2);
    expect(summary(result, "good")[0]).toBe("unchanged");
    for (const [image, , message] of cases) {
      const path = join(host.directory, `${image}.yml`);
      const expected =
        typeof message === "string"
          ? message.replace("{aa}", path)
          : new RegExp(message.source.replace("\\{aa\\}", path));
      const shown = sentence(result, image);
      if (typeof expected === "string") expect(shown).toContain(expected);
      else expect(shown).toMatch(expected);
      await expect(stat(host.state(image, "")), image).rejects.toThrow();
      await expect(stat(join(host.root, image)), image).rejects.toThrow();
    }
    expect(result.stdout + result.stderr).not.toMatch(/Traceback|An exception occurred/);
  });

  test("can be templates that give lists and numbers, and come from group_vars and the command line", async () => {
    const vars =
      "base: ['{{ playbook_dir }}/one'], nspawn_runner_binds: '{{ base + [playbook_dir ~ \"/two:/mnt:ro\"] }}', nspawn_runner_keep_days: '{{ 3 + 4 }}'";
    const host = await runnerHost(
      {
        "aa.yml": playbook("aa", "- raw: ls -d /mnt/doc", vars),
        "group_vars/all.yml": "nspawn_runner_network: nonsense\n",
        "one/file": "",
        "two/doc": "",
      },
      ["aa"],
    );
    expect(sentence(await host.run(["site.yml"]), "aa")).toMatch(
      /nspawn_runner_network in \S+all.yml:1: must be one of host, none/,
    );
    const result = await host.run(["site.yml", "-e", "nspawn_runner_network=none"]);
    expect(sentence(result, "aa")).toBe("");
    expect(result.exitCode).toBe(0);
  });

  test("that do not exist are refused, also from -e", async () => {
    const host = await runnerHost({ "aa.yml": fine }, ["aa"]);
    const result = await host.run(["site.yml", "-e", "nspawn_runner_mirorr=x"]);
    expect(sentence(result, "aa")).toContain(
      "-e nspawn_runner_mirorr: unknown variable; the nearest known one is nspawn_runner_mirror: correct the name",
    );
    expect(result.exitCode).toBe(2);
  });
});

describe("a run", () => {
  test("of a playbook whose hosts match nothing fails, and names the hosts; plays for others are named", async () => {
    const host = await runnerHost(
      {
        "aa.yml": playbook("bullseye", "- debug:") + playbook("localhost", "- debug:"),
        "bb.yml": playbook("bb", "- debug:") + playbook("[all, '!bb', 'bbb']", "- debug:"),
        "cc.yml": ["all", "localhost", "nspawn_runner_unmanaged", "aa"]
          .map((hosts) => playbook(hosts, "- debug:"))
          .join(""),
      },
      ["aa", "bb", "cc"],
    );
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(sentence(result, "bb")).toContain(
      `${join(host.directory, "bb.yml")}:6: the inventory has no host and no group bbb; the nearest known name is bb: correct`,
    );
    expect(summary(result, "cc")[0]).toBe("unchanged");
    expect(sentence(result, "cc")).toContain("not run: localhost, nspawn_runner_unmanaged, aa");
    const state = JSON.parse(await readFile(host.state("cc", "state.json"), "utf8"));
    expect(state.last_run.skipped_plays).toEqual(["localhost", "nspawn_runner_unmanaged", "aa"]);
    expect(sentence(result, "aa")).toContain(
      `no play of ${join(host.directory, "aa.yml")} matches aa (hosts of its plays: bullseye; localhost): write hosts: aa or hosts: all`,
    );
  });

  test("of a playbook that Ansible cannot run fails, and quotes Ansible", async () => {
    const broken = "- hosts: all\n  vars: {nspawn_runner_variant: minbase}\n  taks: []\n";
    const host = await runnerHost({ "aa.yml": broken, "bb.yml": fine }, ["aa", "bb"]);
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(sentence(result, "aa")).toMatch(/ended with exit status \d before its end: .*'taks'.*last\.log/);
    expect(summary(result, "bb")[0]).toBe("unchanged");
  });

  test("that asks for a password is refused", async () => {
    const host = await runnerHost({ "aa.yml": fine }, ["aa"]);
    const result = await host.run(["site.yml", "-K"], { input: "x\n" });
    expect(sentence(result, "aa")).toContain(
      "--ask-become-pass cannot be passed on to the image's own run: use --become-password-file",
    );
    expect(result.exitCode).toBe(2);
  });

  test("that fails because of the archive says so, in a creation and in a task", async () => {
    const broken = "E: Unable to correct problems, you have held broken packages.";
    const host = await runnerHost(
      {
        "aa.yml": playbook("aa", `- fail: {msg: "apt-get failed: ${broken}"}`),
        "bb.yml": playbook("bb", "- debug:", `nspawn_runner_create_command: [sh, -c, "echo '${broken}'; exit 100"]`),
      },
      ["aa"],
    );
    const result = await host.run(["site.yml"]);
    for (const image of ["aa", "bb"])
      expect(sentence(result, image)).toContain("the archive's dependencies cannot be satisfied at the moment");
    expect(result.exitCode).toBe(2);
  });

  test("without root rights is refused with one sentence", async () => {
    const host = await runnerHost({ "aa.yml": fine }, ["aa"]);
    const home = scratch();
    await chmod(home, 0o777);
    const result = await host.run(["site.yml"], {
      under: ["setsid", "--wait", ...asNobody],
      env: { HOME: home, ANSIBLE_HOME: home },
    });
    expect(result.stdout + result.stderr).toContain("changing images requires root: run ansible-playbook as root");
    expect(result.exitCode).toBe(2);
  });

  test("without the connection plugin names the collection to install, once per image", async () => {
    const host = await runnerHost({ "aa.yml": fine, "bb.yml": fine }, ["aa"]);
    const config =
      "plugin: nspawn.runner.chroots\nroot: images\nplaybook_dirs: [.]\nconnection: community.general.chroot\n";
    await writeFile(join(host.directory, "nspawn_runner.yml"), config);
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    const message = "is not installed: run apt install ansible, or ansible-galaxy collection install community.general";
    expect(sentence(result, "aa")).toContain(`the connection plugin community.general.chroot of image aa ${message}`);
    expect(sentence(result, "bb")).toContain(message);
    await expect(stat(join(host.root, "bb"))).rejects.toThrow();
  });

  test("of an image with a group's name is refused: Ansible would take the group", async () => {
    const host = await runnerHost({ "aa.yml": fine, "more.ini": "[aa]\nelsewhere ansible_connection=local\n" }, ["aa"]);
    const result = await host.run(["-i", "more.ini", "site.yml"]);
    expect(result.stdout).toContain("image aa has the name of an inventory group");
    expect(result.exitCode).toBe(2);
  });
});

describe("a connection that would run an image's tasks on the host", () => {
  const outside = "would run outside of its tree, since ansible_connection is";

  test("fails the image before a task, with the place of the value; delegated tasks and other images run", async () => {
    const touch = (image: string) => `- raw: touch ${join("/run", image)}-${process.pid}`;
    const set = { aa: touch("aa"), bb: touch("bb"), dd: `- set_fact: {ansible_connection: local}\n${touch("dd")}` };
    const ee = `- raw: id\n  vars: {ansible_connection: local}\n  changed_when: false\n- command: id\n  delegate_to: localhost`;
    const host = await runnerHost(
      {
        ...Object.fromEntries(Object.entries(set).map(([image, tasks]) => [`${image}.yml`, playbook(image, tasks)])),
        // Ansible itself gives the inventory's variable precedence over these two.
        "ee.yml": playbook("ee", ee, "ansible_connection: local").replace("  gather", "  connection: local\n  gather"),
        "host_vars/aa.yml": "\nansible_connection: local\n",
        "more.yml": "all: {hosts: {bb: {ansible_connection: ansible.legacy.local}}}\n",
      },
      ["aa", "bb", "dd", "ee"],
    );
    const result = await host.run(["-i", "more.yml", "site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(sentence(result, "aa")).toContain(`${outside} local in ${join(host.directory, "host_vars/aa.yml")}:2: use `);
    expect(sentence(result, "bb")).toContain(
      `${outside} ansible.legacy.local in ${join(host.directory, "more.yml")}:1: use`,
    );
    expect(sentence(result, "dd")).toContain("ansible_connection of image dd cannot be changed by a task or a role");
    for (const image of Object.keys(set)) expect(existsSync(`/run/${image}-${process.pid}`), image).toBe(false);
    expect(result.stdout).toMatch(/ee \| changed: \[ee -> localhost\]/);
    expect(summary(result, "ee")[0], result.stdout).toBe("unchanged");
  });

  test("in the inventory's file lists no image", async () => {
    const host = await runnerHost({ "aa.yml": playbook("aa", "- raw: id") }, ["aa"]);
    const file = join(host.directory, "nspawn_runner.yml");
    await writeFile(file, `${await readFile(file, "utf8")}connection: local\n`);
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toContain("no inventory lists images");
    expect((result.stdout + result.stderr).replace(/\s+/g, " ")).toMatch(/nspawn\.runner\.nspawn.*community\.general/);
  });
});

describe("files that others can change", () => {
  test("run with a warning; files that every user can change do not run", async () => {
    const host = await runnerHost({ "aa.yml": fine, "bb.yml": fine }, ["aa", "bb"]);
    await chmod(join(host.directory, "aa.yml"), 0o664);
    await chmod(join(host.directory, "bb.yml"), 0o666);
    const result = await host.run(["site.yml"]);
    expect(summary(result, "aa")[0]).toBe("unchanged");
    const output = (result.stdout + result.stderr).replace(/\s+/g, " ");
    expect(output).toContain(`users other than root can write to ${join(host.directory, "aa.yml")}: run chmod go-w`);
    expect(sentence(result, "bb")).toContain(
      `root does not run files that every user can write: users other than root can write to ${join(host.directory, "bb.yml")}`,
    );
  });
});

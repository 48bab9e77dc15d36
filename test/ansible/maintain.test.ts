// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The playbooks nspawn.runner.maintenance and nspawn.runner.create: tasks, output and exit status.

import { existsSync, readFileSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { processes, until } from "../support/process.ts";
import { playbook, recap, runnerHost, sentence, started, summary } from "../support/runner-host.ts";
import { files } from "../support/scratch.ts";

const quiet = playbook("all", "- debug: {msg: nothing}");

describe("maintenance", () => {
  test("leaves the other images alone when one fails, with the same result in recap, summary and exit status", async () => {
    const host = await runnerHost(
      {
        "aa.yml": playbook("aa", "- name: Break\n  fail: {msg: 'out of luck'}"),
        "bb.yml": playbook("bb", "- name: Change\n  raw: 'echo from $(hostname) >/etc/word'"),
        "cc.yml": playbook("cc", "- debug: {msg: nothing}"),
      },
      ["aa", "bb", "cc"],
    );
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(recap(result, "aa")).toMatchObject({ failed: 1, unreachable: 0 });
    expect(recap(result, "bb")).toMatchObject({ failed: 0, changed: 1 });
    expect(recap(result, "cc")).toMatchObject({ failed: 0, changed: 0 });
    expect(summary(result, "aa").slice(0, 2)).toEqual(["failed", "0"]);
    expect(summary(result, "bb").slice(0, 2)).toEqual(["published", "1"]);
    expect(summary(result, "cc").slice(0, 2)).toEqual(["unchanged", "0"]);
    expect(summary(result, "cc")[5]).toMatch(/^\d+\.\d$/);
    expect(sentence(result, "aa")).toMatch(/task 'Break' in .*aa\.yml:\d+ failed: out of luck/);
    expect(sentence(result, "aa")).toContain(host.state("aa", "last.log"));
    expect(result.stdout).toContain("bb | TASK [Change]");
    expect(result.stdout + result.stderr).not.toMatch(/Traceback|An exception occurred/);
  });

  test("polls for results every hundredth of a second in all runs of Ansible, not ten times as often", async () => {
    const host = await runnerHost(
      { "aa.yml": playbook("aa", "- raw: echo >/there; until [ -e /go ]; do sleep 0.1; done") },
      ["aa"],
    );
    const { result } = await started(host, () => existsSync(host.state("aa", "staged/there")));
    const runs = processes(host.directory).filter(({ command }) => command.includes("ansible-playbook"));
    expect(runs.length).toBeGreaterThan(3);
    const wakeUps = () =>
      runs
        .map(({ pid }) => /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
        .reduce((sum, count) => sum + Number(count), 0);
    const [before, start] = [wakeUps(), performance.now()];
    await sleep(2000);
    const perSecond = (wakeUps() - before) / ((performance.now() - start) / 1000);
    // Two runs with a hundred wake-ups each, and some more.
    expect(perSecond).toBeLessThan(350);
    await writeFile(host.state("aa", "staged/go"), "");
    expect((await result).exitCode).toBe(0);
  });

  test("shows the summary also when every image fails, tells each failure once, and relays plain text", async () => {
    const breaks = "- name: Break\n  raw: 'echo first >&2; echo; echo $((40 + 2)) reasons >&2; exit 3'";
    const host = await runnerHost({ "aa.yml": playbook("aa", breaks), "bb.yml": playbook("bb", "- fail:") }, [
      "aa",
      "bb",
    ]);
    // As under ansible-navigator: the playbooks' own runs may not use colours.
    const result = await host.run(["site.yml"], { env: { ANSIBLE_FORCE_COLOR: "1" } });
    expect(result.exitCode).toBe(2);
    const lines = result.stdout.split("\n");
    const relayed = lines.filter((line) => /^(aa|bb) \|/.test(line));
    expect(relayed.join("\n")).toMatch(/^aa \| fatal: \[aa\]: FAILED!/m);
    expect(relayed.filter((line) => line.includes("\x1b") || /\|\s*$/.test(line))).toEqual([]);
    const colored = lines.filter((line) => line.startsWith("\x1b[")).join("\n");
    expect(colored.match(/m(aa|bb) {2,}failed/g)).toHaveLength(2);
    expect(colored.match(/maa: task 'Break' .* failed: 42 reasons \(exit status 3\)/g)).toHaveLength(1);
    // In the relayed output, in the sentence, and in the lines below.
    expect(lines.filter((line) => line.includes("42 reasons"))).toHaveLength(3);
  });

  test("prints at most 30 lines about ten images in a quiet night", async () => {
    const names = [..."abcdefghij"].map((letter) => `${letter}${letter}`);
    const host = await runnerHost(
      Object.fromEntries(names.map((name) => [`${name}.yml`, playbook(name, "- debug:")])),
      names,
    );
    const unit = await readFile("collection/examples/nspawn-runner.service", "utf8");
    const variables =
      /^Environment=(.*)$/m
        .exec(unit)?.[1]
        ?.split(" ")
        .map((word) => word.split("=")) ?? [];
    const result = await host.run(["site.yml", "--forks", "5"], { env: Object.fromEntries(variables) });
    expect([result.exitCode, result.stderr]).toEqual([0, ""]);
    expect(result.stdout.match(/^\w\w +unchanged /gm), result.stdout).toHaveLength(10);
    expect(result.stdout.split("\n").length).toBeLessThanOrEqual(30);
    expect(await readFile(host.state("aa", "last.log"), "utf8")).toContain("PLAY RECAP");
  });

  test("keeps the output of an image's last two runs, readable by root alone", async () => {
    const host = await runnerHost({ "aa.yml": playbook("aa", "- debug: {msg: 'run {{ number }}'}") }, ["aa"]);
    await host.run(["site.yml", "-e", "number=1"]);
    const result = await host.run(["site.yml", "-e", "number=2"]);
    expect(result.exitCode).toBe(0);
    expect(await readFile(host.state("aa", "last.log"), "utf8")).toMatch(/"run 2"[\s\S]*PLAY RECAP/);
    expect(await readFile(host.state("aa", "last.log.1"), "utf8")).toContain('"run 1"');
    expect((await stat(host.state("aa", "last.log"))).mode & 0o777).toBe(0o600);
    expect((await stat(host.state("aa", ""))).mode & 0o777).toBe(0o700);
  });

  test("runs `hosts: all`, several plays, roles and files beside the playbook, and delegation to this host", async () => {
    const host = await runnerHost(
      {
        "aa.yml": [
          playbook("all", "- include_tasks: more.yml\n- command: pwd\n  delegate_to: localhost\n  register: here"),
          "- hosts: aa\n  gather_facts: false\n  vars_files: [words.yml]\n  roles: [speaker]",
          "- hosts: bb\n  gather_facts: false\n  tasks: [{fail: {msg: not for this image}}]\n",
        ].join("\n"),
        "more.yml": "- debug: {msg: included}\n",
        "words.yml": "word: from a vars file\n",
        "roles/speaker/tasks/main.yml":
          "- debug: {msg: '{{ word }} in {{ here.stdout }}, hosts {{ ansible_play_hosts_all }}'}\n",
        "bb.yml": quiet,
      },
      ["aa", "bb"],
    );
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain("included");
    expect(result.stdout).toContain(`from a vars file in ${host.directory}, hosts ['aa']`);
    expect(summary(result, "bb")[0]).toBe("unchanged");
  });

  test("passes options, vault passwords and the user's ansible.cfg on to the images' runs", async () => {
    const words = [
      "x",
      "ansible_check_mode",
      "ansible_diff_mode",
      "ansible_verbosity",
      "ansible_forks",
      "secret",
      "fromfile",
    ];
    const shown = words.map((word) => `${word}={{ ${word} }}`).join(" ");
    const host = await runnerHost(
      {
        "aa.yml": playbook(
          "aa",
          [
            `- debug: {msg: "${shown}"}\n  tags: wanted`,
            "- fail: {msg: not asked for}",
            "- fail: {msg: told to skip}\n  tags: [wanted, unwanted]",
            "- copy: {content: new, dest: '{{ playbook_dir }}/diffed'}\n  delegate_to: localhost\n  tags: wanted",
          ].join("\n"),
        ),
        "site.cfg": "[defaults]\nstdout_callback = minimal\ncallbacks_enabled = ansible.builtin.tree\n",
        password: "sesame\n",
        "vars.yml": "fromfile: yes indeed\n",
      },
      ["aa"],
    );
    const encrypt = ["encrypt_string", "--vault-id", "lab@password", "open", "--name", "secret"];
    const { stdout } = await execa("ansible-vault", encrypt, { cwd: host.directory, env: { LC_ALL: "C.UTF-8" } });
    await files(host.directory, { "host_vars/aa.yml": `${stdout}\n` });
    const options = ["--check", "--diff", "--tags", "wanted", "--skip-tags", "unwanted", "-v", "--forks", "7"];
    const extra = ["-e", "x=outer", "-e", "@vars.yml", "--vault-id", "lab@password"];
    const result = await host.run(["site.yml", ...options, ...extra], {
      env: { ANSIBLE_CONFIG: join(host.directory, "site.cfg") },
    });
    const values = "x=outer ansible_check_mode=True ansible_diff_mode=True ansible_verbosity=1 ansible_forks=7";
    // ansible-core 2.22 hides values that it has decrypted.
    expect(result.stdout.replace("$REDACTED$", "open")).toContain(`${values} secret=open fromfile=yes indeed`);
    expect(result.exitCode).toBe(0);
    expect(await readFile(host.state("aa", "last.log"), "utf8")).toMatch(/^(ok|changed): \[aa/m);
    expect(await readFile(host.state("aa", "last.log"), "utf8")).toContain("+new");
    await expect(stat(join(host.directory, "diffed"))).rejects.toThrow();
    expect(await readFile(host.state("aa", "last.log"), "utf8")).not.toMatch(/not asked for|told to skip/);
  });

  test("is not disturbed by group_vars of the images", async () => {
    const host = await runnerHost(
      {
        "aa.yml": playbook(
          "aa",
          "- debug: {msg: 'as {{ ansible_become_method }}'}",
          "ansible_become: false, nspawn_runner_variant: buildd",
        ),
        "group_vars/all.yml": [
          "ansible_become: true",
          "ansible_become_method: community.none.such",
          "ansible_python_interpreter: /nonexistent/python",
          "ansible_shell_type: powershell",
          "",
        ].join("\n"),
      },
      ["aa"],
    );
    const result = await host.run(["site.yml"]);
    expect(sentence(result, "aa")).toBe("");
    // The image's own run uses the group_vars.
    expect(result.stdout).toContain("as community.none.such");
    expect(result.exitCode).toBe(0);
  });

  test("with --check changes nothing, and prints the changes that would be made", async () => {
    const host = await runnerHost(
      {
        "aa.yml": playbook(
          "all",
          "- command: touch /changed\n  delegate_to: localhost\n- debug: {}\n  changed_when: true",
        ),
        "bb.yml": quiet,
      },
      ["aa"],
    );
    const result = await host.run(["site.yml", "--check", "--diff"]);
    expect(result.exitCode).toBe(0);
    expect(summary(result, "aa").slice(0, 2)).toEqual(["would be published", "1"]);
    expect(summary(result, "bb")[0]).toBe("would be published");
    expect(result.stdout).toMatch(/^bb \| .*would be made by \w+ from suite bookworm/m);
    await expect(stat(join(host.root, "bb"))).rejects.toThrow();
    await expect(stat(host.state("bb", ""))).rejects.toThrow();
  });

  test("applies --tags to the tasks of the images: a tag that no task has is no failure", async () => {
    const host = await runnerHost({ "aa.yml": playbook("aa", "- fail:\n  tags: other") }, ["aa"]);
    const result = await host.run(["site.yml", "--tags", "none", "--limit", "aa"]);
    expect(result.exitCode).toBe(0);
    expect(summary(result, "aa")[0]).toBe("unchanged");
  });

  test("writes the container's options before the playbook runs", async () => {
    const host = await runnerHost(
      {
        "aa.yml": playbook(
          "aa",
          "- raw: 'cat /mnt/word; echo $GREETING; ls /sys/class/net'\n  register: out\n- debug: {var: out.stdout_lines}",
          "nspawn_runner_binds: ['{{ playbook_dir }}/shared:/mnt:ro'], nspawn_runner_environment: {GREETING: good day}, nspawn_runner_network: none",
        ),
        "shared/word": "bound\n",
      },
      ["aa"],
    );
    const result = await host.run(["site.yml"]);
    expect(sentence(result, "aa")).toBe("");
    expect(result.stdout).toMatch(/"bound",\s+aa \|\s+"good day",\s+aa \|\s+"lo"\s/);
  });

  test("says when no image matches, and fails when no inventory lists images", async () => {
    const host = await runnerHost({}, []);
    const nothing = await host.run(["site.yml"]);
    expect(nothing.stdout).toContain("There is nothing to do: no image matches.");
    expect(nothing.exitCode).toBe(0);
    await writeFile(join(host.directory, "nspawn_runner.yml"), "plugin: nspawn.runner.chroots\nrooot: /x\n");
    const bad = await host.run(["site.yml"]);
    expect(bad.stdout + bad.stderr).toContain("no inventory lists images");
    expect(bad.exitCode).toBe(2);
    const listed = await host.run(["nspawn.runner.generations"]);
    expect(listed.stdout).toContain("no inventory lists images");
    expect(listed.exitCode).toBe(2);
    // Ansible skips a play without a host in --limit.
    for (const name of ["maintenance", "create", "release", "generations", "doctor"]) {
      const limited = await host.run([`nspawn.runner.${name}`, "--limit", "aa"]);
      expect((limited.stdout + limited.stderr).replace(/\s+/g, " "), name).toContain(
        "no inventory lists images: give a file",
      );
      expect(limited.exitCode, name).not.toBe(0);
    }
  });

  test("fails for an image that compose has an error for, and for a playbook that no image can have", async () => {
    const host = await runnerHost({ "aa.yml": quiet, "bb.yml": quiet, "c c.yml": quiet }, ["aa"]);
    const inventory = `plugin: nspawn.runner.chroots\nroot: ${host.root}\nstrict: true\ncompose: {system: nspawn_runner_os.nope}\n`;
    await writeFile(join(host.directory, "nspawn_runner.yml"), inventory);
    const result = await host.run(["site.yml"]);
    for (const image of ["aa", "bb"])
      expect(sentence(result, image)).toContain(`${join(host.directory, "nspawn_runner.yml")}:4: compose: `);
    expect(result.stdout).toContain(`${join(host.directory, "c c.yml")}: no image can have the name 'c c'`);
    expect(result.exitCode).toBe(2);
  });

  test("fails an image that another run holds, and names the holding process", async () => {
    const waits = "- raw: until [ -e /go ]; do sleep 0.1; done";
    const host = await runnerHost({ "aa.yml": playbook("aa", waits), "bb.yml": quiet }, ["aa", "bb"]);
    const first = host.run(["site.yml", "--limit", "aa"]);
    await until(() => existsSync(host.state("aa", "staged/usr")) && existsSync(host.state("aa", "last.log")));
    const second = await host.run(["site.yml"]);
    expect(second.exitCode).toBe(2);
    expect(sentence(second, "aa")).toMatch(/process \d+, maintenance/);
    expect(summary(second, "bb")[0]).toBe("unchanged");
    await writeFile(host.state("aa", "staged/go"), "");
    expect((await first).exitCode).toBe(0);
  });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lab itself, and what must work on a host with systemd as PID 1.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Lab, startLab } from "../../src/tool/lab.ts";
import { collectionPath } from "../support/ansible.ts";
import { files, scratch } from "../support/scratch.ts";
import { archiveHost, debianTree } from "../support/trees.ts";

const trees = scratch("file");
const configuration = scratch("file");
const exe = "/collection/playbooks/files/nspawn-chroot";
let lab: Lab;

beforeAll(async () => {
  await debianTree(join(trees, "img"));
  await files(configuration, {
    "nspawn_runner.yml": "plugin: nspawn.runner.chroots\n",
    "site.yml": "- name: Maintain all images\n  ansible.builtin.import_playbook: nspawn.runner.maintenance\n",
    "trixie.yml": `- name: Image trixie
  hosts: all
  vars:
    nspawn_runner_chroot_suite: trixie
  tasks:
    - name: Write what the facts say
      ansible.builtin.copy:
        content: "{{ ansible_facts.hostname }} {{ ansible_facts.distribution_release }}\\n"
        dest: /etc/image
        mode: "0644"
`,
  });
  lab = await startLab({
    binds: [
      `${trees}:/trees`,
      `${collectionPath()}:/collection`,
      `${configuration}:/etc/nspawn-runner`,
      `${inject("collections")}:/usr/share/ansible/collections`,
    ],
  });
});
afterAll(() => lab?.stop());

const sh = (script: string) => lab.run(["sh", "-c", script]);

test("the lab has systemd as PID 1, no failed unit, machined and Ansible", async () => {
  expect(lab.failedUnits).toEqual([]);
  const { exitCode, stdout } = await sh(
    "cat /proc/1/comm; machinectl --version >/dev/null && ansible --version | head -1",
  );
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^systemd\nansible \[core 2\.19\./);
});

test.each([
  ["exit 0", 0],
  ["exit 7", 7],
  ["kill -KILL $$", 137],
])("the exit status of %j in the lab is %i", async (script, status) => {
  expect((await sh(script)).exitCode).toBe(status);
});

test("a program in the lab gets its input and its own environment", async () => {
  const { stdout } = await lab.run(["sh", "-c", 'cat; echo "$A $HOME"'], { input: "in\n", env: { A: "x" } });
  expect(stdout).toBe("in\nx /root");
});

test("the wrapper works in the lab: exit status, host name, DNS, quick calls, nothing left", async () => {
  const { exitCode, stdout, stderr } = await sh(`
    ls -A /trees/img/etc >/tmp/before
    ${exe} /trees/img sh -c 'hostname; cmp /run/none /etc/resolv.conf; getent hosts ${await archiveHost(join(trees, "img"))} >/dev/null && echo resolved; exit 3' 2>/dev/null
    echo $?
    i=0; while [ $i -lt 100 ]; do ${exe} /trees/img true </dev/null || exit; i=$((i + 1)); done
    ls -A /trees/img/etc | diff /tmp/before - && machinectl list --no-legend`);
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "img\nresolved\n3", stderr: "" });
});

const boots = async (tree: string) => {
  const { exitCode, stdout, stderr } = await sh(`
    systemd-run --quiet --collect --unit=job --property=KillMode=mixed --property=Type=notify \
      --property=RestartForceExitStatus=133 --property=SuccessExitStatus=133 \
      --property=Slice=machine.slice --property=Delegate=yes \
      systemd-nspawn --quiet --directory=${tree} --machine=run-1 --boot --notify-ready=yes --suppress-sync=yes || exit
    systemctl is-active job
    machinectl show --property=State run-1
    machinectl terminate run-1
    while systemctl is-active --quiet job; do sleep 0.1; done`);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toBe("active\nState=running");
};

test("a tree that was used by the wrapper boots under the command line of nspawn-runner's jobs", () =>
  boots("/trees/img"));

test("Debian 13 with its own Ansible makes, maintains and boots an image, all at their default places", async () => {
  const maintain = () => sh("cd /etc/nspawn-runner && ansible-playbook -i nspawn_runner.yml site.yml");
  const recap = async (counts: string) => {
    const { exitCode, stdout, stderr } = await maintain();
    expect(exitCode, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toMatch(new RegExp(`^trixie +: ok=\\d+ +${counts} +unreachable=0 +failed=0`, "m"));
  };
  await recap("changed=1");
  await recap("changed=0");
  expect((await sh("cat /var/lib/nspawn-runner/trixie/etc/image")).stdout).toBe("trixie trixie");
  expect((await sh("ls -A /etc/nspawn-runner")).stdout).toBe("nspawn_runner.yml\nsite.yml\ntrixie.yml");
  await boots("/var/lib/nspawn-runner/trixie");
});

test("a stopped lab leaves no process, mount, control group, loop device or file", async () => {
  const other = await startLab();
  const mine = readdirSync("/var/tmp").filter((name) => name.startsWith(`nspawn-runner-lab-${process.pid}-`));
  expect(mine).toHaveLength(2);
  const script = "truncate -s 10M /var/tmp/disk && losetup --find --show /var/tmp/disk; sleep 3333 >/dev/null 2>&1 &";
  const device = (await other.run(["sh", "-c", script])).stdout;
  // Other tests attach and detach devices at the same time.
  const attached = async () => (await execa("losetup", ["--noheadings", device], { reject: false })).stdout;
  expect(await attached()).toContain("/disk");
  await other.stop();
  expect(await attached()).not.toContain("/disk");
  expect((await execa("ps", ["-axo", "args"])).stdout).not.toMatch(/^sleep 3333$/m);
  const left = mine.filter((name) => ["/var/tmp", "/sys/fs/cgroup/unified"].some((at) => existsSync(join(at, name))));
  expect(left).toHaveLength(1);
});

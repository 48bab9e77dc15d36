// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A host with systemd as PID 1, machined and D-Bus, and the collection's default paths.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ansible, collectionPath } from "../support/ansible.ts";
import { recap } from "../support/runner-host.ts";
import { files, scratch } from "../support/scratch.ts";
import { archiveHost, debianTree } from "../support/trees.ts";

const configuration = "/etc/nspawn-runner";
const published = "/var/lib/nspawn-runner/trixie";
const exe = join(collectionPath(), "playbooks/files/nspawn-chroot");
const tree = join(scratch("file"), "img");

beforeAll(async () => {
  await debianTree(tree);
  await files(configuration, {
    "nspawn_runner.yml": "plugin: nspawn.runner.chroots\nconnection: nspawn.runner.nspawn\n",
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
});
afterAll(() => execa("rm", ["--recursive", configuration, published]));

const sh = async (script: string) => {
  const { exitCode, stdout, stderr } = await execa("sh", ["-c", script], { reject: false, stdin: "ignore" });
  return { exitCode, stdout, stderr };
};

test("systemd is PID 1, and no unit has failed", async () => {
  expect(await sh("cat /proc/1/comm; systemctl is-system-running; machinectl list --no-legend")).toEqual({
    exitCode: 0,
    stdout: "systemd\nrunning",
    stderr: "",
  });
});

test("the wrapper: exit status, host name, DNS, a hundred calls, nothing left", async () => {
  const { exitCode, stdout, stderr } = await sh(`
    ls -A ${tree}/etc >/tmp/before
    ${exe} ${tree} sh -c 'hostname; cmp /run/none /etc/resolv.conf; getent hosts ${await archiveHost(tree)} >/dev/null && echo resolved; exit 3' 2>/dev/null
    echo $?
    i=0; while [ $i -lt 100 ]; do ${exe} ${tree} true </dev/null || exit; i=$((i + 1)); done
    ls -A ${tree}/etc | diff /tmp/before - && machinectl list --no-legend`);
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "img\nresolved\n3", stderr: "" });
});

const boots = async (directory: string) => {
  const { exitCode, stdout, stderr } = await sh(`
    systemd-run --quiet --collect --unit=job --property=KillMode=mixed --property=Type=notify \
      --property=RestartForceExitStatus=133 --property=SuccessExitStatus=133 \
      --property=Slice=machine.slice --property=Delegate=yes \
      systemd-nspawn --quiet --directory=${directory} --machine=run-1 --boot --notify-ready=yes --suppress-sync=yes || exit
    systemctl is-active job
    machinectl show --property=State run-1
    machinectl terminate run-1
    until systemctl show --property=ActiveState job | grep -qE '=(inactive|failed)$'; do sleep 0.1; done`);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toBe("active\nState=running");
};

test("a tree that was used by the wrapper boots under the command line of nspawn-runner's jobs", () => boots(tree));

test("the host's own Ansible makes, maintains and boots an image", async () => {
  const maintain = async () => {
    const run = await ansible("ansible-playbook", ["-i", "nspawn_runner.yml", "site.yml"], { cwd: configuration });
    expect(run.exitCode, `${run.stdout}\n${run.stderr}`).toBe(0);
    return recap(run, "trixie");
  };
  expect(await maintain()).toMatchObject({ changed: 1, failed: 0 });
  expect(await maintain()).toMatchObject({ changed: 0, failed: 0 });
  expect(await readFile(join(published, "etc/image"), "utf8")).toBe("trixie trixie\n");
  expect(await readdir(configuration)).toEqual(["nspawn_runner.yml", "site.yml", "trixie.yml"]);
  await boots(published);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A role that was written for a host works in an image: facts, services, DNS and the host name.

import { existsSync } from "node:fs";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { collectionPath, withChrootConnection } from "../support/ansible.ts";
import { connectionHost, containers, succeeded } from "../support/connection-host.ts";
import { files } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

const daemon = {
  "etc/systemd/system/daemon.service":
    "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
  // As in a package of Debian, apart from the daemon.
  "etc/init.d/daemon": `#!/bin/sh
### BEGIN INIT INFO
# Provides: daemon
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop:
### END INIT INFO
. /lib/lsb/init-functions
case "$1" in
  start | restart | reload) touch /root/started ;;
  status) exit 3 ;;
esac
`,
};

const directories = {
  "etc/systemd/system/early.service":
    "[Service]\nUser=games\nRuntimeDirectory=early early/below\nRuntimeDirectoryMode=0750\nExecStart=/bin/true\n",
  "etc/systemd/system/instance@.service": "[Service]\nRuntimeDirectory=instance-%i\nExecStart=/bin/true\n",
  "etc/tmpfiles.d/ours.conf": "d /run/ours 1777 root games\nd /root/not-now 0755\nd /run/systemd/seats 0755\n",
};

async function treeWithDaemon(tree: string): Promise<string> {
  await files(await debianTree(tree), { ...daemon, ...directories });
  return tree;
}

const facts = `
- ansible.builtin.setup: {gather_subset: ['!all', '!min', virtual, service_mgr]}
- ansible.builtin.assert:
    that:
      - ansible_facts.virtualization_type == 'container'
      - ansible_facts.virtualization_role == 'guest'
      - ansible_facts.virtualization_tech_guest | sort == ['container', 'systemd-nspawn']
      - ansible_facts.service_mgr == 'systemd'`;
const services = `
- {ansible.builtin.file: {path: /etc/init.d/daemon, mode: "0755"}}
- {ansible.builtin.service: {name: daemon, enabled: true, state: started}, register: first}
- {ansible.builtin.service: {name: daemon, enabled: true, state: restarted}, register: second}
- ansible.builtin.assert: {that: [first is changed, first.enabled, second is not changed]}
- {ansible.builtin.systemd: {name: systemd-networkd.service, masked: true, daemon_reload: true, state: stopped}}
- {ansible.builtin.sysvinit: {name: daemon, state: started}}
- {ansible.builtin.command: "{{ item }}", loop: [service daemon start, service daemon reload, /etc/init.d/daemon restart, invoke-rc.d daemon start]}
- {ansible.builtin.command: test ! -e /root/started}`;
const runDirectories = `
- {ansible.builtin.command: stat --format '%n %a %U %G' /run/early /run/early/below /run/ours, register: early}
- ansible.builtin.copy:
    content: "[Service]\\nRuntimeDirectory=late\\nExecStart=/bin/true\\n"
    dest: /etc/systemd/system/late.service
- {ansible.builtin.command: ls /run/late}
- {ansible.builtin.command: sh -c 'ls -d /run/instance* /run/systemd/seats /root/not-now', register: others, failed_when: others.stdout != ''}
- ansible.builtin.assert:
    that: early.stdout_lines == ['/run/early 750 games games', '/run/early/below 750 games games', '/run/ours 1777 root games']`;
const ignored = /Target is a chroot or systemd is offline/;

test.each(["nspawn.runner.nspawn", "community.general.chroot"])(
  "%s: facts are of a container, units are enabled and masked, no daemon starts by a module, a command or an init script",
  async (connection) => {
    const wrapper = {
      ansible_connection: connection,
      ansible_chroot_exe: join(collectionPath(), "playbooks/files/nspawn-chroot"),
    };
    const own = connection === "nspawn.runner.nspawn";
    const { tree, run } = await connectionHost(treeWithDaemon, "test", own ? {} : wrapper);
    const result = await run(
      facts + services + (own ? runDirectories : ""),
      own ? {} : { env: withChrootConnection() },
    );
    expect(result.stdout + result.stderr).toMatch(succeeded);
    expect(result.stderr).toMatch(ignored);
    await expect
      .poll(
        () =>
          ["usr/sbin/policy-rc.d", "usr/lib/lsb/init-functions.d/00-nspawn-chroot"].filter((path) =>
            existsSync(join(tree, path)),
          ),
        { timeout: 30_000 },
      )
      .toEqual([]);
  },
);

test("DNS works in each task, whatever became of /etc/resolv.conf in an earlier task, and nothing of the host's stays in the tree", async () => {
  const own = "nameserver 192.0.2.1\n";
  const { tree, run } = await connectionHost(async (path) => files(await debianTree(path), { "etc/resolv.conf": own }));
  const same = `[ "$(cat /etc/resolv.conf)" = "{{ lookup('file', '/etc/resolv.conf') }}" ]`;
  const shell = (cmd: string) => `\n- ansible.builtin.shell: ${JSON.stringify({ cmd })}`;
  const changes = [
    "ln -sf ../run/somewhere/resolv.conf /etc/resolv.conf",
    "ln -sf /nowhere /etc/resolv.conf",
    "rm /etc/resolv.conf",
    "cp --archive /etc/resolv.conf /etc/resolv.conf.7.2026-01-01@00:00:00~",
  ].flatMap((change) => [change, same]);
  // As systemd-resolved is installed. DNS works in the same task too.
  const install = `mv /etc/resolv.conf /etc/.resolv.conf.systemd-resolved.bak
    ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf; ${same}`;
  const result = await run([...changes, install].map(shell).join(""));
  expect(result.stdout + result.stderr).toMatch(succeeded);
  await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
  expect(await readlink(join(tree, "etc/resolv.conf"))).toBe("../run/systemd/resolve/stub-resolv.conf");
  expect((await readdir(join(tree, "etc"))).filter((name) => /resolv.conf.|chroot/.test(name))).toEqual([]);
});

test("the image's name has an address, and /etc/hosts keeps nothing but the change of a task", async () => {
  const own = "127.0.0.1 localhost\n";
  const { tree, run } = await connectionHost(async (path) => files(await debianTree(path), { "etc/hosts": own }));
  const hosts = join(tree, "etc/hosts");
  const before = await stat(hosts, { bigint: true });
  const name = `
- {ansible.builtin.command: hostname -f, register: name}
- ansible.builtin.assert: {that: name.stdout == 'tree'}`;
  expect((await run(name)).stdout).toMatch(succeeded);
  await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
  const { ino, mtimeNs } = await stat(hosts, { bigint: true });
  expect([ino, mtimeNs]).toEqual([before.ino, before.mtimeNs]);
  const change = "\n- ansible.builtin.lineinfile: {path: /etc/hosts, line: 192.0.2.9 db}";
  expect((await run(change + name)).stdout).toMatch(succeeded);
  await expect.poll(() => containers(tree), { timeout: 30_000 }).toEqual([]);
  expect(await readFile(hosts, "utf8")).toBe(`${own}192.0.2.9 db\n`);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The connection plugin on trees of newer Debian suites, from the Ansible under test.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectionHost, where } from "../support/connection-host.ts";
import { files } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

// All other tests have a tree of bookworm.
test.each(["trixie", "sid"] as const)(
  "a tree of %s: modules run in forks of the agent, also after an upgrade of libraries; files, packages, users, become",
  async (suite) => {
    const { directory, run } = await connectionHost((tree) => debianTree(tree, suite));
    await files(directory, { "library/where.py": where });
    const { stdout } = await run(`
- {where: , register: warm}
- {ansible.builtin.setup: , register: facts}
- {ansible.builtin.command: hostname, register: name}
- ansible.builtin.copy: {content: "hällo\\n", dest: /root/copied}
- ansible.builtin.fetch: {src: /root/copied, dest: ./, flat: true}
- {ansible.builtin.apt: {name: hello, update_cache: true}, register: apt}
- {ansible.builtin.command: dpkg --force-help, register: force}
- ansible.builtin.user: {name: joe}
- {ansible.builtin.command: id -un, become: true, become_user: joe, become_method: su, register: joe}
- ansible.builtin.raw: touch /usr/lib/*/libc.so.6
- {where: , register: upgraded}
- ansible.builtin.assert:
    that:
      - warm.code is search('^/proc/self/fd/')
      - upgraded.code == warm.code
      - facts.ansible_facts.ansible_distribution == 'Debian'
      - name.stdout == 'tree'
      - apt is changed
      # dpkg's defaults, which DPKG_FORCE repeats in a staged tree.
      - force.stdout | regex_findall('[[][*][]] ([a-z-]+)  ') == ['security-mac', 'downgrade']
      - joe.stdout == 'joe'`);
    expect(stdout).toMatch(/ok=12 .*failed=0/);
    expect(await readFile(join(directory, "copied"), "utf8")).toBe("hällo\n");
  },
);

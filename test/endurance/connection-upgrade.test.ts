// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A tree is upgraded to the next suite under the running agent: Python, libraries and the needs of Ansible's modules change.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectionHost, where, whichContainer } from "../support/connection-host.ts";
import { files } from "../support/scratch.ts";

test("a dist-upgrade from bookworm to trixie in a play, and then packages, facts, users and files in the same container", async () => {
  const { directory, tree, run } = await connectionHost();
  await files(directory, { "library/where.py": where });
  const result = await run(`
- {where: , register: old}
- {ansible.builtin.command: ${whichContainer}, register: container}
- {ansible.builtin.replace: {path: /etc/apt/sources.list, regexp: bookworm, replace: trixie}}
- {ansible.builtin.apt: {upgrade: dist, update_cache: true, install_recommends: false}}
- {where: , register: new}
- {ansible.builtin.command: ${whichContainer}, register: same}
- {ansible.builtin.apt: {name: hello}, register: installed}
- {ansible.builtin.setup: , register: facts}
- ansible.builtin.user: {name: joe}
- {ansible.builtin.command: id -un, become: true, become_user: joe, become_method: su, register: joe}
- ansible.builtin.copy: {content: after, dest: /root/copied}
- ansible.builtin.assert:
    that:
      - old.python == '3.11' and new.python == '3.13'
      - new.code == old.code and new.code is search('^/proc/self/fd/')
      - same.stdout == container.stdout
      - installed is changed
      - facts.ansible_facts.ansible_distribution_release == 'trixie'
      - joe.stdout == 'joe'`);
  expect(result.stdout).toMatch(/ok=12 .*failed=0/);
  expect(await readFile(join(tree, "root/copied"), "utf8")).toBe("after");
});

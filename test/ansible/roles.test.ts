// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A role that was written for a host works in an image.

import { join } from "node:path";
import { expect, test } from "vitest";
import { collectionPath, withChrootConnection } from "../support/ansible.ts";
import { connectionHost, succeeded } from "../support/connection-host.ts";
import { debianTree } from "../support/trees.ts";

test.each(["nspawn.runner.nspawn", "community.general.chroot"])("%s: facts are of a container", async (connection) => {
  const own = connection === "nspawn.runner.nspawn";
  const exe = join(collectionPath(), "playbooks/files/nspawn-chroot");
  const wrapper = { ansible_connection: connection, ansible_chroot_exe: exe };
  const { run } = await connectionHost(debianTree, "test", own ? {} : wrapper);
  const facts = `
- ansible.builtin.setup: {gather_subset: ['!all', '!min', virtual]}
- ansible.builtin.assert:
    that:
      - ansible_facts.virtualization_type == 'container'
      - ansible_facts.virtualization_role == 'guest'
      - ansible_facts.virtualization_tech_guest | sort == ['container', 'systemd-nspawn']`;
  const { stdout } = await run(facts, own ? {} : { env: withChrootConnection() });
  expect(stdout).toMatch(succeeded);
});

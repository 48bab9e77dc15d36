// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A tree and an inventory that leads to it by the connection plugin.

import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AnsibleOptions, type AnsibleResult, ansible } from "./ansible.ts";
import { type Process, processes } from "./process.ts";
import { playbook } from "./runner-host.ts";
import { files, scratch } from "./scratch.ts";
import { debianTree } from "./trees.ts";

export interface ConnectionHost {
  /** Of the inventory and the playbooks. */
  readonly directory: string;
  readonly tree: string;
  /** Runs a playbook of these tasks on the host `img`. */
  readonly run: (tasks: string, options?: Partial<AnsibleOptions>) => Promise<AnsibleResult>;
}

/** `variables` are of the host `img`, beside those that lead to the tree. */
export async function connectionHost(
  make: (tree: string) => Promise<string> = debianTree,
  lifetime: "test" | "file" = "test",
  variables: Record<string, unknown> = {},
): Promise<ConnectionHost> {
  const directory = scratch(lifetime);
  const tree = await make(join(directory, "tree"));
  const img = {
    ansible_host: tree,
    ansible_connection: "nspawn.runner.nspawn",
    ansible_pipelining: true,
    ansible_python_interpreter: "/usr/bin/python3",
    ansible_nspawn_idle_time: 1,
    ...variables,
  };
  const inventory = JSON.stringify({ all: { hosts: { img } } });
  await files(directory, { "hosts.yml": inventory, "ansible.cfg": "[defaults]\n" });
  let number = 0;
  return {
    directory,
    tree,
    run: async (tasks, options = {}) => {
      const name = `play-${++number}.yml`;
      await writeFile(join(directory, name), playbook("img", tasks, ""));
      return ansible("ansible-playbook", ["-i", "hosts.yml", name], { cwd: directory, ...options });
    },
  };
}

/** Gives the playbooks in a directory the action `transfer`, which calls the connection as no playbook can. */
export async function addTransfer(directory: string): Promise<void> {
  await mkdir(join(directory, "action_plugins"), { recursive: true });
  await copyFile(join(import.meta.dirname, "transfer.py"), join(directory, "action_plugins/transfer.py"));
}

/** What Ansible prints at the end of a play in which nothing went wrong that was not ignored. */
export const succeeded = /unreachable=0 +failed=0 /;

/** Pattern of the systemd-nspawn that runs a tree's container. */
export const containerOf = (tree: string): string => `^systemd-nspawn .*--directory=${tree} `;

/** Pattern of the program that keeps a tree's session; not of a shell that has the pattern in its command line. */
export const sessionOf = (tree: string): string => `^[^ ]+ -I -c .*"tree": "${tree}"`;

/** The systemd-nspawn that runs a tree's container, if there is one. */
export const containers = (tree: string): Process[] => processes(new RegExp(containerOf(tree), "s"));

/** The program that keeps a tree's session, if there is one. */
export const sessions = (tree: string): Process[] => processes(new RegExp(sessionOf(tree), "s"));

/** A task that runs a command on this machine, where the play's hosts are trees. */
export const onThisHost = (command: string): string =>
  `{ansible.builtin.shell: ${JSON.stringify(command)}, delegate_to: localhost, vars: {ansible_connection: local}}`;

/** A command that tells one container from another: when its first process started. The number of a namespace is given again. */
export const whichContainer = "cut -d ' ' -f 22 /proc/1/stat";

/** A module that says with which Python it ran, and where that found Ansible's module code: in a fork of the agent, in its archive. */
export const where = `#!/usr/bin/python
import sys
from ansible.module_utils import basic
basic.AnsibleModule(argument_spec={}).exit_json(code=basic.__file__, python="%d.%d" % sys.version_info[:2])
`;

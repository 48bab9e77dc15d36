// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A tree, and an inventory that leads to the tree by the connection plugin.

import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AnsibleOptions, type AnsibleResult, ansible } from "./ansible.ts";
import { type Process, processes } from "./process.ts";
import { playbook } from "./runner-host.ts";
import { files, scratch } from "./scratch.ts";
import { debianTree } from "./trees.ts";

export interface ConnectionHost {
  /** Directory of the inventory and the playbooks. */
  readonly directory: string;
  readonly tree: string;
  /** Runs a playbook of these tasks on the host `img`. */
  readonly run: (tasks: string, options?: Partial<AnsibleOptions>) => Promise<AnsibleResult>;
}

/** `variables` are added to the variables of the host `img`. */
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

/** Ansible's last line for a play without a failure, apart from ignored ones. */
export const succeeded = /unreachable=0 +failed=0 /;

/** Pattern of the systemd-nspawn that runs a tree's container. */
export const containerOf = (tree: string): string => `^systemd-nspawn .*--directory=${tree} `;

/** Pattern of the program that keeps a tree's session. A shell with this pattern in the command line does not match. */
export const sessionOf = (tree: string): string => `^[^ ]+ -I -c .*"tree": "${tree}"`;

/** The systemd-nspawn that runs a tree's container, if there is one. */
export const containers = (tree: string): Process[] => processes(new RegExp(containerOf(tree), "s"));

/** The program that keeps a tree's session, if there is one. */
export const sessions = (tree: string): Process[] => processes(new RegExp(sessionOf(tree), "s"));

/** A task that runs a command on this machine, where the play's hosts are trees. */
export const onThisHost = (command: string): string =>
  `{ansible.builtin.shell: ${JSON.stringify(command)}, delegate_to: localhost, vars: {ansible_connection: local}}`;

/** A command that identifies a container, by the start time of the first process. The kernel reuses the numbers of namespaces. */
export const whichContainer = "cut -d ' ' -f 22 /proc/1/stat";

/** A module that returns the Python version, and the path of Ansible's module code: in a fork of the agent, a path in the agent's archive. */
export const where = `#!/usr/bin/python
import sys
from ansible.module_utils import basic
basic.AnsibleModule(argument_spec={}).exit_json(code=basic.__file__, python="%d.%d" % sys.version_info[:2])
`;

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A directory with an inventory file, playbooks and a root directory of trees, and the result of ansible-inventory.

import { join } from "node:path";
import { type AnsibleOptions, type AnsibleResult, ansible } from "./ansible.ts";
import { files } from "./scratch.ts";

export type HostVariables = Record<string, unknown>;

export interface Listing extends AnsibleResult {
  hosts: Record<string, HostVariables>;
  /** Hosts of a group, without the hosts of child groups. */
  group: (name: string) => string[];
}

/** Playbooks are looked for beside the inventory file only: the machine may have some in /etc/nspawn-runner. */
export const inventoryFile = "plugin: nspawn.runner.chroots\nroot: images\nplaybook_dirs: [.]\n";

/** Writes the files into the directory, and `nspawn_runner.yml` by default. */
export function inventoryHost(directory: string, contents: Record<string, string | Buffer>): Promise<string> {
  return files(directory, { "nspawn_runner.yml": inventoryFile, ...contents });
}

/** A playbook with these lines as the `vars` of the first play. */
export const playbook = (...vars: string[]): string =>
  `- hosts: all\n  gather_facts: false\n  vars:\n${vars.map((line) => `    ${line}\n`).join("")}  tasks: []\n`;

/** `ansible-inventory --list` of the directory's nspawn_runner.yml. Text that is marked as unsafe becomes a plain string. */
export async function list(
  directory: string,
  options: Partial<AnsibleOptions> & { inventory?: string } = {},
): Promise<Listing> {
  const { inventory = "nspawn_runner.yml", ...rest } = options;
  const result = await ansible("ansible-inventory", ["-i", inventory, "--list"], { cwd: directory, ...rest });
  const data = JSON.parse(result.stdout, (_key, value) => value?.__ansible_unsafe ?? value);
  return { ...result, hosts: data._meta.hostvars, group: (name) => data[name]?.hosts ?? [] };
}

/** Without white space: Ansible breaks warnings into lines, also in the middle of a path. */
const squeezed = (text: string): string => text.replace(/\s+/g, "");

/** How often a warning is in the output. */
export const countOf = (warning: string, output: string): number =>
  squeezed(output).split(squeezed(warning)).length - 1;

export const imagePath = (directory: string, name: string): string => join(directory, "images", name);

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs Ansible's own programs against the installed artifact.

import { join } from "node:path";
import { execa } from "execa";
import { inject } from "vitest";

export interface AnsibleOptions {
  cwd: string;
  env?: Record<string, string>;
  /** Program and arguments that the Ansible program runs under, such as `asNobody`. */
  under?: readonly string[];
  input?: string;
}

export interface AnsibleResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export type AnsibleProgram =
  | "ansible"
  | "ansible-doc"
  | "ansible-inventory"
  | "ansible-playbook"
  | "ansible-pull"
  | "ansible-galaxy"
  | "ansible-vault";

/** Runs a program as an unprivileged user with the right to read all files: the Ansible under test can be in a home directory. */
export const asNobody: readonly string[] = [
  "setpriv",
  "--reuid=65534",
  "--regid=65534",
  "--clear-groups",
  "--inh-caps=+dac_read_search",
  "--ambient-caps=+dac_read_search",
];

/** Directory of the installed collection. */
export const collectionPath = (): string => join(inject("collections"), "ansible_collections/nspawn/runner");

/**
 * The Ansible program under test: of the directory in `NSPAWN_RUNNER_ANSIBLE`, else of PATH.
 * The matrix of versions sets the variable.
 */
export function ansibleProgram(program: AnsibleProgram): string {
  const directory = process.env["NSPAWN_RUNNER_ANSIBLE"];
  return directory ? join(directory, program) : program;
}

/** Environment of every run: the artifact, no colours, no configuration but the test's own. */
export function ansibleEnvironment(): Record<string, string> {
  return {
    ANSIBLE_COLLECTIONS_PATH: inject("collections"),
    // Without the other collections of this machine: ansible-core is enough.
    ANSIBLE_COLLECTIONS_SCAN_SYS_PATH: "0",
    ANSIBLE_NOCOLOR: "1",
    ANSIBLE_LOCALHOST_WARNING: "0",
    ANSIBLE_INVENTORY_UNPARSED_WARNING: "1",
    LC_ALL: "C.UTF-8",
  };
}

/** Environment of a run that enters trees by community.general.chroot, of Debian's package ansible. */
export const withChrootConnection = (): Record<string, string> => ({
  ANSIBLE_COLLECTIONS_PATH: `${inject("collections")}:/usr/lib/python3/dist-packages`,
});

/** Runs an Ansible program to the end; never throws for the exit status. Standard input is empty, as in a job. */
export async function ansible(
  program: AnsibleProgram,
  args: readonly string[],
  options: AnsibleOptions,
): Promise<AnsibleResult> {
  const [command, ...rest] = [...(options.under ?? []), ansibleProgram(program), ...args] as [string, ...string[]];
  const { exitCode, stdout, stderr } = await execa(command, rest, {
    cwd: options.cwd,
    env: { ...ansibleEnvironment(), ...options.env },
    input: options.input ?? "",
    reject: false,
  });
  return { exitCode: exitCode ?? -1, stdout, stderr };
}

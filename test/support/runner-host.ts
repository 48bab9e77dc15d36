// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A runner host for a test of maintenance: an inventory file, a site.yml, playbooks and a root directory.

import { join } from "node:path";
import { execa } from "execa";
import { expect, onTestFinished } from "vitest";
import { type AnsibleOptions, type AnsibleResult, ansible, ansibleEnvironment, ansibleProgram } from "./ansible.ts";
import { type Process, processes, until } from "./process.ts";
import { files, scratch } from "./scratch.ts";
import { busyboxTree } from "./trees.ts";

export interface RunnerHost {
  /** Directory of the playbooks. */
  directory: string;
  root: string;
  /** Path in the private state of an image. */
  state: (image: string, file: string) => string;
  /** `ansible-playbook -i nspawn_runner.yml`, with these arguments. */
  run: (args: readonly string[], options?: Partial<AnsibleOptions>) => Promise<AnsibleResult>;
}

/**
 * `contents` are files beside the inventory file; `trees` are images that exist already, each a Busybox.
 * `root` is the root directory, by default beneath the directory of the playbooks.
 */
export async function runnerHost(
  contents: Record<string, string>,
  trees: readonly string[],
  lifetime: "test" | "file" = "test",
  root?: string,
): Promise<RunnerHost> {
  const directory = scratch(lifetime);
  root ??= join(directory, "images");
  await files(directory, {
    "nspawn_runner.yml": `plugin: nspawn.runner.chroots\nroot: ${root}\nplaybook_dirs: [.]\n`,
    "site.yml": "- import_playbook: nspawn.runner.maintenance\n",
    ...contents,
  });
  for (const tree of trees) await busyboxTree(join(root, tree));
  return {
    directory,
    root,
    state: (image, file) => join(root, ".nspawn-runner", image, file),
    // In a new session: a program that asks for a password finds no terminal, also when the tests have a terminal.
    run: (args, options = {}) =>
      ansible("ansible-playbook", ["-i", "nspawn_runner.yml", ...args], {
        cwd: directory,
        under: ["setsid", "--wait"],
        ...options,
      }),
  };
}

/** A playbook of one play, without the gathering of facts. */
export const playbook = (image: string, tasks: string, vars = "nspawn_runner_chroot_suite: bookworm"): string =>
  `- hosts: ${image}\n  gather_facts: false\n  vars: {${vars}}\n  tasks:\n${tasks.replace(/^/gm, "    ")}\n`;

/** The counts of an image in the recap of the outer run. */
export function recap({ stdout }: AnsibleResult, image: string): Record<string, number> {
  const line = stdout.split("\n").find((candidate) => new RegExp(`^${image} +:`).test(candidate)) ?? "";
  return Object.fromEntries(
    [...line.matchAll(/(\w+)=(\d+)/g)].map(([, name, count]) => [name as string, Number(count)]),
  );
}

/** The cells of an image in the summary: result, tasks changed, packages added, removed, upgraded, seconds. */
export function summary({ stdout }: AnsibleResult, image: string): string[] {
  const lines = stdout.slice(stdout.indexOf("TASK [Summary]")).split("\n");
  const line = lines.find((candidate) => new RegExp(`^${image} {2,}\\w`).test(candidate)) ?? "";
  return line.trim().split(/ {2,}/).slice(1);
}

/** The sentence about an image below the summary of a run, if there is one. */
export const sentence = ({ stdout }: AnsibleResult, image: string): string =>
  stdout
    .slice(stdout.indexOf("TASK [Summary]"))
    .split("\n")
    .find((line) => line.startsWith(`${image}: `)) ?? "";

/** Starts a maintenance and waits until the condition holds. The rest of the run is killed when the test ends. */
export async function started(host: RunnerHost, condition: () => boolean): Promise<{ result: Promise<AnsibleResult> }> {
  onTestFinished(() => {
    for (const { pid } of processes(host.directory)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {} // ended meanwhile
    }
  });
  // The inventory's path marks the processes of this run.
  const args = ["-i", join(host.directory, "nspawn_runner.yml"), "site.yml"];
  const options = { cwd: host.directory, env: ansibleEnvironment(), reject: false } as const;
  const result = execa(ansibleProgram("ansible-playbook"), args, options).then(({ exitCode, stdout, stderr }) => ({
    exitCode: exitCode ?? -1,
    stdout,
    stderr,
  }));
  await until(condition);
  return { result };
}

/** Starts a maintenance, and kills the first process alone when the condition holds. */
export async function killed(host: RunnerHost, condition: () => boolean): Promise<void> {
  const { result } = await started(host, condition);
  const outer = processes(host.directory).filter((candidate) => candidate.parent === process.pid);
  expect(outer).toHaveLength(1);
  process.kill((outer[0] as Process).pid, "SIGKILL");
  await result;
}

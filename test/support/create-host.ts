// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A host for creations: runs the module for real, looks for leftovers of the module, and makes a small archive.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { ansible, ansibleEnvironment, ansibleProgram } from "./ansible.ts";
import { scratch } from "./scratch.ts";
import { busyboxTree } from "./trees.ts";

export interface ModuleResult {
  exitCode: number;
  changed: boolean;
  msg: string;
  path?: string;
  bootstrap?: string;
  /** The output of `--diff`. */
  shown: string;
}

export interface ModuleOptions {
  check?: boolean;
  env?: Record<string, string>;
  under?: readonly string[];
}

/** Runs the module once on localhost. */
export async function chroot(params: Record<string, unknown>, options: ModuleOptions = {}): Promise<ModuleResult> {
  const args = ["localhost", "--diff", "-m", "nspawn.runner.chroot", "-a", JSON.stringify(params)];
  const { exitCode, stdout, stderr } = await ansible("ansible", options.check ? [...args, "--check"] : args, {
    cwd: "/",
    ...(options.env && { env: options.env }),
    ...(options.under && { under: options.under }),
  });
  const start = stdout.search(/^localhost \| \S+ => \{/m);
  if (start < 0) throw new Error(`no result:\n${stdout}\n${stderr}`);
  const result = JSON.parse(stdout.slice(stdout.indexOf("{", start)));
  return { ...result, exitCode, changed: result.changed ?? false, shown: stdout.slice(0, start) };
}

/** Starts a playbook of one creation and returns the process of ansible-playbook. */
export function startCreation(params: Record<string, unknown>, env: Record<string, string> = {}) {
  // The interpreter of the implicit localhost: discovery may find an interpreter that does not start.
  const vars = { ansible_python_interpreter: "{{ ansible_playbook_python }}" };
  const play = [{ hosts: "localhost", gather_facts: false, vars, tasks: [{ "nspawn.runner.chroot": params }] }];
  const playbook = join(scratch(), "play.json");
  writeFileSync(playbook, JSON.stringify(play));
  return execa(ansibleProgram("ansible-playbook"), ["-i", "localhost,", "-c", "local", playbook], {
    cwd: "/",
    env: { ...ansibleEnvironment(), ...env },
    stdin: "ignore",
    reject: false,
  });
}

/** Mounts at or beneath the path, in any mount namespace. */
export function mountsAnywhere(path: string): string[] {
  const found = readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
      } catch {
        return [];
      }
    });
  return [...new Set(found.filter((line) => (line.split(" ")[4] ?? "").startsWith(`${path}/`)))];
}

/** Names in the image's private directory. */
export const stateOf = (root: string, image: string): string[] => {
  try {
    return readdirSync(join(root, ".nspawn-runner", image)).sort();
  } catch {
    return [];
  }
};

/** An archive of a small tree that a container can run. */
export async function smallArchive(directory: string, name = "small.tar"): Promise<string> {
  const tree = join(directory, "small");
  await busyboxTree(tree);
  const archive = join(directory, name);
  await execa("tar", ["--auto-compress", "--create", `--file=${archive}`, `--directory=${tree}`, "."]);
  return archive;
}

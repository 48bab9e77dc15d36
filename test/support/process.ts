// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance runs to be killed, and what is left of them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, onTestFinished, vi } from "vitest";
import { type AnsibleResult, ansibleEnvironment, ansibleProgram } from "./ansible.ts";
import type { RunnerHost } from "./runner-host.ts";

export interface Process {
  pid: number;
  parent: number;
  command: string;
}

/** Starts a maintenance and waits until it has come to a point. What is left of it ends with the test. */
export async function started(host: RunnerHost, there: () => boolean): Promise<{ result: Promise<AnsibleResult> }> {
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
  await until(there);
  return { result };
}

/** Starts a maintenance and kills its first process, and no other, at a point. */
export async function killed(host: RunnerHost, there: () => boolean): Promise<void> {
  const { result } = await started(host, there);
  const outer = processes(host.directory).filter((candidate) => candidate.parent === process.pid);
  expect(outer).toHaveLength(1);
  process.kill((outer[0] as Process).pid, "SIGKILL");
  await result;
}

/** Processes whose command line has this text. */
export function processes(text: string): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1]);
        return command.includes(text) ? [{ pid: Number(name), parent, command }] : [];
      } catch {
        return []; // ended meanwhile
      }
    });
}

/** Waits until the condition holds. */
export const until = (condition: () => boolean): Promise<true> =>
  vi.waitUntil(condition, { timeout: 120_000, interval: 50 });

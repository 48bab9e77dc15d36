// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// nsenter: one program in the namespaces of a lab.

import { constants } from "node:os";
import { execa } from "execa";

export interface LabResult {
  /** 128 + N when signal N ended the program. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams as they came. */
  readonly output: string;
}

export interface RunOptions {
  /** Added to a plain environment; no variable of this process goes in. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Standard input, output and error are those of this process. */
  readonly terminal?: boolean;
}

const plain = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", HOME: "/root", LANG: "C.UTF-8" };
const namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];

/** Runs a program to its end in all namespaces of a process. Never throws for its exit status. */
export async function enter(leader: number, argv: readonly string[], options: RunOptions = {}): Promise<LabResult> {
  const { exitCode, signal, stdout, stderr, all } = await execa(
    "nsenter",
    ["--target", String(leader), ...namespaces, "--", ...argv],
    {
      env: { ...plain, ...(options.terminal ? { TERM: process.env.TERM ?? "dumb" } : {}), ...options.env },
      extendEnv: false,
      all: true,
      reject: false,
      ...(options.terminal ? { stdio: "inherit" as const } : { input: options.input ?? "" }),
    },
  );
  const code = exitCode ?? (signal ? 128 + (constants.signals[signal] ?? 0) : 255);
  return { exitCode: code, stdout: String(stdout ?? ""), stderr: String(stderr ?? ""), output: String(all ?? "") };
}

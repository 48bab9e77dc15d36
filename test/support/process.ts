// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Processes of this machine: found by command lines, waited for, and started for the time of a test.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { execa } from "execa";
import { onTestFinished, vi } from "vitest";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Program and arguments, with a space between two. */
  readonly command: string;
}

/** Living processes with this text in the command line, or a command line that matches this pattern. */
export function processes(command: string | RegExp): Process[] {
  return living().filter((process) =>
    typeof command === "string" ? process.command.includes(command) : command.test(process.command),
  );
}

/** Living processes with this path in the command line, or with the working directory at or beneath the path. */
export function processesAt(path: string): Process[] {
  return living().filter(
    ({ pid, command }) => pid !== process.pid && (command.includes(path) || workingDirectory(pid).startsWith(path)),
  );
}

function living(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replace(/\0$/, "").replaceAll("\0", " ");
        const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1]);
        return [{ pid: Number(name), parent, command }];
      } catch {
        return []; // ended meanwhile
      }
    });
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return ""; // ended meanwhile
  }
}

/** Waits until the condition holds, for two minutes at most. */
export const until = (condition: () => boolean | Promise<boolean>): Promise<true> =>
  vi.waitUntil(condition, { timeout: 120_000, interval: 50 });

export interface Running {
  readonly pid: number;
  /** Kills the program, and waits for the end. */
  readonly end: () => Promise<void>;
}

/** Starts a program, and waits for the first output. The program is killed when the test ends. */
export async function running(argv: readonly [string, ...string[]], cwd = "/"): Promise<Running> {
  const [file, ...args] = argv;
  const child = execa(file, args, { reject: false, cwd });
  const end = async () => {
    child.kill("SIGKILL");
    await child;
  };
  onTestFinished(end);
  await new Promise<void>((ready, fail) => {
    child.stdout.once("data", () => ready());
    child.once("exit", () => fail(new Error(`${file} ended`)));
  });
  return { pid: child.pid as number, end };
}

/** A systemd-nspawn on a tree, also on a host without systemd. The whole container dies with the first process. */
export function container(tree: string, ...flagsAndCommand: readonly string[]): [string, ...string[]] {
  const isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "systemd-nspawn"] as const;
  const flags = ["--register=no", "--keep-unit", "--quiet", "--settings=no", "--console=pipe", "--as-pid2"];
  return [...isolated, ...flags, "-D", tree, ...flagsAndCommand];
}

/** A command that prints a line and then does nothing for ten minutes. */
export const sleeper: readonly [string, ...string[]] = ["/bin/sh", "-c", "echo up; exec sleep 600"];

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a program to its end: the one place that turns a program's failure into an error.

import { execa } from "execa";

/** A program that is missing or failed. */
export class ToolError extends Error {
  /** Program and arguments, quoted as in a shell. */
  readonly command: string;
  /** Null when the program never ran. */
  readonly exitCode: number | null;

  constructor(command: string, exitCode: number | null, reason: string) {
    super(`${command}: ${reason}`);
    this.name = "ToolError";
    this.command = command;
    this.exitCode = exitCode;
  }
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Whether the program belongs to an npm package: those are not on PATH. */
  readonly npm?: boolean;
  /** Source of the program, such as "Debian's package ansible-core". */
  readonly from: string;
  /** Exit codes that are answers, not failures. */
  readonly answers?: readonly number[] | "any";
  /** Shows both streams on the terminal at once; the result then has standard output alone. */
  readonly onTerminal?: boolean;
}

export interface RunResult {
  readonly exitCode: number;
  /** Standard output and standard error, interleaved as printed. */
  readonly output: string;
}

/** Runs a program to its end, on this machine or on another host. */
export type Run = (program: string, args: readonly string[], options: RunOptions) => Promise<RunResult>;

/** Runs a program without a shell. Throws a ToolError when it is not there or its exit code is no answer. */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { cwd = ".", env = {}, input = "", npm = false, from, answers = [0], onTerminal = false } = options;
  const result = await execa(program, args, {
    cwd,
    env,
    input,
    stdout: onTerminal ? ["pipe", "inherit"] : "pipe",
    stderr: onTerminal ? "inherit" : "pipe",
    all: true,
    reject: false,
    preferLocal: npm,
    localDir: import.meta.dirname,
  });
  if (result.code === "ENOENT") throw new ToolError(program, null, `not installed. It comes with ${from}.`);
  if (result.exitCode !== undefined && isAnswer(result.exitCode, answers)) {
    return { exitCode: result.exitCode, output: result.all };
  }
  const how =
    result.exitCode === undefined ? `ended by ${result.signal ?? "an error"}` : `exit code ${result.exitCode}`;
  throw failure(result.escapedCommand, result.exitCode ?? null, how, result.stderr || result.stdout);
}

export const isAnswer = (exitCode: number, answers: RunOptions["answers"] = [0]): boolean =>
  answers === "any" || answers.includes(exitCode);

/** The error of a program that failed, with the end of its output. */
export const failure = (command: string, exitCode: number | null, how: string, output: string): ToolError =>
  new ToolError(command, exitCode, [how, tail(output)].filter(Boolean).join("\n"));

/** The last lines, where programs report errors. */
const tail = (text: string): string => text.trimEnd().split("\n").slice(-20).join("\n");

/** Runs a program whose output goes to the terminal. Throws a ToolError when the program is missing or fails. */
export async function runOnTerminal(program: string, args: readonly string[], from: string): Promise<void> {
  const result = await execa(program, args, {
    stdin: "inherit",
    stdout: process.stderr,
    stderr: "inherit",
    reject: false,
  });
  if (result.code === "ENOENT") throw new ToolError(program, null, `not installed. It comes with ${from}.`);
  if (result.exitCode !== 0)
    throw new ToolError(result.escapedCommand, result.exitCode ?? null, "failed, see its messages above.");
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// One call of an executor's program, started and ended as GitLab Runner does.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, constants, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";

export interface CallOptions {
  /** Working directory. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Both outputs are one pipe, as before GitLab Runner 16.11. */
  readonly onePipe: boolean;
  /** The end of the call's context: SIGTERM to the process group. */
  readonly signal: AbortSignal;
  /** Seconds from SIGTERM to SIGKILL, and from SIGKILL until the runner leaves the process alone. */
  readonly graceful: number;
  readonly force: number;
  readonly out: (data: Buffer) => void;
  readonly err: (data: Buffer) => void;
  readonly started?: (pid: number) => void;
}

export interface Ended {
  /** Null after a signal, and when the call was abandoned. */
  readonly exitCode: number | null;
  readonly signal?: string;
  /** The call was ended by its context. */
  readonly aborted: boolean;
  /** The process went on after SIGKILL, or its pipes stayed open. */
  readonly abandoned: boolean;
  /** Milliseconds until the process ended, and until both pipes were closed. */
  readonly exited: number;
  readonly closed: number;
}

/** Node.js can start a process in a session of its own, not in a process group of its own. */
const ownGroup = ["-e", 'setpgrp(0, 0); exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\\n"'] as const;

let pipes = 0;

/** A pipe of the kernel; `spawn` would give the program a socket. */
function pipe(directory: string, data: (chunk: Buffer) => void): { write: number; closed: Promise<void> } {
  const path = join(directory, `.pipe-${process.pid}-${pipes++}`);
  const { status, stderr } = spawnSync("mkfifo", ["--mode=0600", path], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(path, constants.O_WRONLY);
  rmSync(path);
  const socket = new Socket({ fd: read, readable: true, writable: false });
  socket.on("data", data);
  const closed = new Promise<void>((done) => socket.once("close", () => done()));
  return { write, closed };
}

const sleep = (seconds: number) => new Promise<"time">((done) => setTimeout(done, seconds * 1000, "time").unref());

/** Runs the call until the process has ended and both pipes are closed. Throws when the program cannot be started. */
export async function call(argv: readonly string[], options: CallOptions): Promise<Ended> {
  const { directory, environment, onePipe, signal, graceful, force, out, err } = options;
  const first = pipe(directory, out);
  const second = onePipe ? first : pipe(directory, err);
  const begun = performance.now();
  let child: ChildProcess;
  try {
    // A listening signal of Node.js would kill the process alone, so it is not passed on.
    child = spawn("perl", [...ownGroup, ...argv], {
      cwd: directory,
      env: environment,
      stdio: ["ignore", first.write, second.write],
    });
  } finally {
    closeSync(first.write);
    if (!onePipe) closeSync(second.write);
  }
  let exited = 0;
  const exit = new Promise<{ exitCode: number | null; signal?: string }>((done, fail) => {
    child.once("error", fail);
    child.once("exit", (exitCode, name) => {
      exited = performance.now() - begun;
      done({ exitCode, ...(name ? { signal: name } : {}) });
    });
  });
  if (child.pid !== undefined) options.started?.(child.pid);
  const end = Promise.all([exit, first.closed, second.closed]).then(([status]) => status);
  const aborted = new Promise<"aborted">((done) => {
    if (signal.aborted) done("aborted");
    signal.addEventListener("abort", () => done("aborted"), { once: true });
  });
  const result = (status: Awaited<typeof exit>, more: { aborted: boolean; abandoned: boolean }): Ended => ({
    ...status,
    ...more,
    exited,
    closed: performance.now() - begun,
  });

  const before = await Promise.race([end, aborted]);
  if (before !== "aborted") return result(before, { aborted: false, abandoned: false });
  for (const [name, seconds] of [
    ["SIGTERM", graceful],
    ["SIGKILL", force],
  ] as const) {
    kill(child, name);
    const after = await Promise.race([end, sleep(seconds)]);
    if (after !== "time") return result(after, { aborted: true, abandoned: false });
  }
  return result({ exitCode: null }, { aborted: true, abandoned: true });
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid as number), signal);
  } catch {
    // The group is not made yet, or has ended.
    child.kill(signal);
  }
}

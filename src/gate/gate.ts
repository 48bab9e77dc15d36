// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// What a gate is: one of the ecosystem's checkers, and what it can look at.

import type { RunResult } from "../tool/run.ts";

export interface Gate {
  readonly name: string;
  /** What pip installs. */
  readonly requirements: readonly string[];
  readonly check: (at: Places, command: Command) => Promise<RunResult>;
}

/** What a gate can look at. */
export interface Places {
  readonly checkout: string;
  /** The built collection, in the directory that Ansible knows it by. */
  readonly collection: string;
  /** What that directory is in, for `ANSIBLE_COLLECTIONS_PATH`. */
  readonly collections: string;
  readonly artifact: string;
  /** Directory of the programs of the gate's environment. */
  readonly programs: string;
  /** An empty directory of the gate's own. */
  readonly scratch: string;
}

/** What is the same for all gates. */
export type CommonPlaces = Omit<Places, "programs" | "scratch">;

/** Runs a program of the gate's environment to its end, whatever its exit code. */
export type Command = (
  argv: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
) => Promise<RunResult>;

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A gate: one of the ecosystem's checkers, and the places that a gate can look at.

import type { Suite } from "../tool/mmdebstrap.ts";
import type { Python } from "../tool/python.ts";
import type { RunResult } from "../tool/run.ts";

export interface Gate {
  readonly name: string;
  /** Debian host whose Python runs the gate. Absent: this machine's Python. */
  readonly host?: Suite | undefined;
  /** Requirements for pip. */
  readonly requirements: readonly string[];
  readonly check: (at: Places, command: Command) => Promise<RunResult>;
}

/** Places that a gate can look at. */
export interface Places {
  readonly checkout: string;
  /** The built collection, in the directory where Ansible expects a collection of this name. */
  readonly collection: string;
  /** Value of `ANSIBLE_COLLECTIONS_PATH` for the built collection. */
  readonly collections: string;
  readonly artifact: string;
  /** Python of the gate's host. */
  readonly python: Python;
  /** Directory of the programs of the gate's environment. */
  readonly programs: string;
  /** An empty directory for this gate alone. */
  readonly scratch: string;
}

/** Places that all gates share. */
export type CommonPlaces = Omit<Places, "python" | "programs" | "scratch">;

/** Runs a program of the gate's environment to its end, whatever its exit code. */
export type Command = (
  argv: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
) => Promise<RunResult>;

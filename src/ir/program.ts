// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A program of the collection: verbs, arguments, options, exit statuses.

export const OPTION_TYPES = ["string", "integer", "flag", "list"] as const;
export type ProgramOptionType = (typeof OPTION_TYPES)[number];

/** Values that a shell can complete. */
export const COMPLETIONS = ["image", "job", "file", "directory", "command"] as const;
export type Completion = (typeof COMPLETIONS)[number];

/** How many words an argument takes: one, at most one, any number, at least one, all that follow. */
export const COUNTS = ["?", "*", "+", "..."] as const;
export type ArgumentCount = (typeof COUNTS)[number];

export interface ProgramOption {
  readonly flags: readonly string[];
  /** Made of the first long flag. */
  readonly name: string;
  /** `null`: a flag without a value. */
  readonly metavar: string | null;
  readonly type: ProgramOptionType;
  /** `null`: none. Of a flag: false. Of a list: no element. */
  readonly default: string | number | boolean | readonly [] | null;
  /** Variable of the environment that sets the value where the option is absent. */
  readonly env: string | null;
  /** `null`: any. */
  readonly choices: readonly string[] | null;
  readonly completes: Completion | null;
  /** A sentence. */
  readonly help: string;
}

export interface ProgramArgument {
  readonly name: string;
  /** A sentence. */
  readonly help: string;
  /** `null`: one word. */
  readonly nargs: ArgumentCount | null;
  readonly completes: Completion | null;
}

export interface Verb {
  readonly name: string;
  /** A sentence. */
  readonly summary: string;
  /** Sentences. */
  readonly description: readonly string[];
  readonly arguments: readonly ProgramArgument[];
  readonly options: readonly ProgramOption[];
  /** Command lines. */
  readonly examples: readonly string[];
}

export interface ProgramStatus {
  readonly name: string;
  readonly status: number;
  /** A sentence. */
  readonly when: string;
}

export interface Program {
  readonly name: string;
  /** File in the model. */
  readonly source: string;
  /** A sentence. */
  readonly description: string;
  /** Options before the verb. */
  readonly options: readonly ProgramOption[];
  readonly verbs: readonly Verb[];
  readonly exit_statuses: readonly ProgramStatus[];
}

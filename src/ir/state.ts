// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Files that the collection keeps for itself, and others may read.

import type { Value } from "./document.ts";

export type FieldType =
  | { readonly is: "string"; readonly choices: readonly string[]; readonly pattern: string | null }
  | { readonly is: "number"; readonly integer: boolean; readonly minimum: number | null }
  | { readonly is: "boolean" }
  | { readonly is: "constant"; readonly value: string | number }
  /** Any names; each value is a string or a list of strings. */
  | { readonly is: "map" }
  | { readonly is: "list"; readonly elements: FieldType }
  /** An object, described under its own name. */
  | { readonly is: "part"; readonly name: string };

export interface Field {
  readonly name: string;
  /** Sentences. */
  readonly description: readonly string[];
  readonly required: boolean;
  readonly type: FieldType;
}

export interface Part {
  readonly name: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly fields: readonly Field[];
}

/** A JSON file: an object with fields, whose parts may be objects again. */
export interface State {
  /** Of the schema and the reference page. */
  readonly name: string;
  /** File in the model. */
  readonly source: string;
  readonly since: string;
  /** One sentence. */
  readonly short: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly fields: readonly Field[];
  readonly parts: readonly Part[];
  /** A whole file. */
  readonly example: Value;
}

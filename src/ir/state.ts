// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// State files: JSON files that the collection writes and any program may read.

import type { Value } from "./document.ts";

export type FieldType =
  | { readonly is: "string"; readonly choices: readonly string[]; readonly pattern: string | null }
  | { readonly is: "number"; readonly integer: boolean; readonly minimum: number | null }
  | { readonly is: "boolean" }
  | { readonly is: "constant"; readonly value: string | number }
  /** Any names; each value is a string or a list of strings. */
  | { readonly is: "map" }
  | { readonly is: "list"; readonly elements: FieldType }
  /** An object, described as a part of this name. */
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

/** A JSON file: an object with fields, some of which are objects, the parts. */
export interface State {
  /** Name of the schema and of the reference page. */
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
  /** A complete file. */
  readonly example: Value;
}

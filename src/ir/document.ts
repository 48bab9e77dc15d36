// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Interfaces of the model: plugins, modules, actions and variables.

/** What can be written as JSON. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

export const KINDS = ["inventory", "vars", "connection", "module", "action", "variables"] as const;
export type Kind = (typeof KINDS)[number];

export const SUPPORT = ["full", "partial", "none"] as const;
export type Support = (typeof SUPPORT)[number];

/** Options that Ansible's doc fragment `ansible.builtin.constructed` adds to an inventory plugin. */
export const CONSTRUCTED_OPTIONS = [
  "strict",
  "compose",
  "groups",
  "keyed_groups",
  "use_extra_vars",
  "leading_separator",
] as const;

export type ScalarType = "str" | "path" | "bool" | "int";

/** Ansible's type, and the values that are allowed. */
export interface Type {
  readonly type: ScalarType | "list" | "dict";
  /** Of a list. */
  readonly elements: ScalarType | null;
  /** The only values, or of a list the only elements. Empty: any. */
  readonly choices: readonly string[];
}

export interface Option extends Type {
  readonly name: string;
  /** Sentences. */
  readonly description: readonly string[];
  readonly required: boolean;
  /** `null`: none. */
  readonly default: Value;
  readonly minimum: number | null;
  /** `null`: none. */
  readonly example: Value;
  /** Of a variable that gives an option of the module that makes trees: that option's name. `null`: none. */
  readonly option: string | null;
  readonly env: readonly string[];
  readonly ini: readonly { readonly section: string; readonly key: string }[];
  readonly vars: readonly string[];
  /** Version of the collection that has it first. */
  readonly since: string;
}

export interface Document {
  readonly kind: Kind;
  /** Without the collection's name. */
  readonly name: string;
  /** File in the model. */
  readonly source: string;
  readonly since: string;
  /** One sentence. */
  readonly short: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  /** An inventory plugin that has Ansible's options for groups and variables by expression. */
  readonly constructed: boolean;
  /** A vars plugin that has Ansible's option `stage`. */
  readonly staging: boolean;
  /** Variables that the collection sets itself. */
  readonly derived: boolean;
  /** A module whose options are also those that variables give by `@option`. */
  readonly creation: boolean;
  /** Of modules and actions. */
  readonly check_mode: Support | null;
  readonly diff_mode: Support | null;
  readonly options: readonly Option[];
}

/** Fills in what an option does not say. */
export function completeOption(
  given: Pick<Option, "name" | "description" | "type" | "required" | "since"> & Partial<Option>,
): Option {
  return {
    name: given.name,
    description: given.description,
    type: given.type,
    elements: given.elements ?? null,
    choices: given.choices ?? [],
    required: given.required,
    default: given.default ?? null,
    minimum: given.minimum ?? null,
    example: given.example ?? null,
    option: given.option ?? null,
    env: given.env ?? [],
    ini: given.ini ?? [],
    vars: given.vars ?? [],
    since: given.since,
  };
}

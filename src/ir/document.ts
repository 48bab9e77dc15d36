// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Interfaces of the model: plugins, modules, actions and variables.

/** A value of JSON. */
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

export type ScalarType = "str" | "path" | "bool" | "int" | "float";

/** A type of Ansible's, and the allowed values. */
export interface Type {
  readonly type: ScalarType | "list" | "dict";
  /** Type of the elements of a list. */
  readonly elements: ScalarType | "dict" | null;
  /** Allowed values, of a list: allowed elements. Empty: any. */
  readonly choices: readonly string[];
}

export interface Option extends Type {
  readonly name: string;
  /** Sentences. */
  readonly description: readonly string[];
  /** Options of each element of a list of mappings. */
  readonly options: readonly Option[];
  readonly required: boolean;
  /** `null`: none. */
  readonly default: Value;
  readonly minimum: number | null;
  readonly maximum: number | null;
  /** Regular expression that a string must match as a whole. `null`: any string. */
  readonly pattern: string | null;
  /** The meaning of the pattern, as the end of the sentence "must be ...". */
  readonly form: string | null;
  /** `null`: none. */
  readonly example: Value;
  /** Name of the creation module's option that a variable gives. `null`: none. */
  readonly option: string | null;
  readonly env: readonly string[];
  readonly ini: readonly { readonly section: string; readonly key: string }[];
  readonly vars: readonly string[];
  /** First version of the collection with this option. */
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
  /** Whether an inventory plugin has Ansible's options for groups and variables by expression. */
  readonly constructed: boolean;
  /** Whether a vars plugin has Ansible's option `stage`. */
  readonly staging: boolean;
  /** Whether the collection sets these variables. */
  readonly derived: boolean;
  /** Whether a module also has the options that variables give by `@option`. */
  readonly creation: boolean;
  /** Support of modules and actions. */
  readonly check_mode: Support | null;
  readonly diff_mode: Support | null;
  readonly options: readonly Option[];
}

/** Fills in the properties that an option leaves out. */
export function completeOption(
  given: Pick<Option, "name" | "description" | "type" | "required" | "since"> & Partial<Option>,
): Option {
  return {
    name: given.name,
    description: given.description,
    type: given.type,
    elements: given.elements ?? null,
    choices: given.choices ?? [],
    options: given.options ?? [],
    required: given.required,
    default: given.default ?? null,
    minimum: given.minimum ?? null,
    maximum: given.maximum ?? null,
    pattern: given.pattern ?? null,
    form: given.form ?? null,
    example: given.example ?? null,
    option: given.option ?? null,
    env: given.env ?? [],
    ini: given.ini ?? [],
    vars: given.vars ?? [],
    since: given.since,
  };
}

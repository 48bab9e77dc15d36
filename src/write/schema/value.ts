// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// JSON Schema of one value.

import type { Option, ScalarType } from "../../ir/document.ts";

export type Schema = { readonly [key: string]: unknown };

/** Draft 7, which most editors support. */
export const DRAFT = "http://json-schema.org/draft-07/schema#";

/** Words that are booleans in YAML 1.1, which Ansible reads, and strings for an editor. */
const BOOLEAN_WORD = "^(y|Y|[Yy]es|YES|n|N|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$";

export function valueSchema(option: Option): Schema {
  const { type, elements, choices, options } = option;
  if (elements === "dict") return { type: "array", items: objectSchema(options) };
  if (type === "list") return { type: "array", items: scalarSchema(elements ?? "str", choices) };
  if (type === "dict") return { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } };
  return scalarSchema(type, choices, option);
}

const objectSchema = (options: readonly Option[]): Schema => ({
  type: "object",
  properties: Object.fromEntries(
    options.map((option) => [option.name, { ...annotations(option), ...valueSchema(option) }]),
  ),
  required: options.filter(({ required }) => required).map(({ name }) => name),
  additionalProperties: false,
});

/** Texts that an editor shows for an option. */
export const annotations = (option: Option): Record<string, unknown> => ({
  description: option.description.join(" "),
  ...(option.default === null ? {} : { default: option.default }),
  ...(option.example === null ? {} : { examples: [option.example] }),
});

type Limits = Partial<Pick<Option, "minimum" | "maximum" | "pattern">>;

function scalarSchema(type: ScalarType, choices: readonly string[], limits: Limits = {}): Schema {
  const { minimum = null, maximum = null, pattern = null } = limits;
  const range = { ...(minimum === null ? {} : { minimum }), ...(maximum === null ? {} : { maximum }) };
  if (type === "int") return { type: "integer", ...range };
  if (type === "float") return { type: "number", ...range };
  if (type === "bool") return { anyOf: [{ type: "boolean" }, { type: "string", pattern: BOOLEAN_WORD }] };
  if (choices.length > 0) return { enum: choices };
  // YAML reads 0 as a number, and Ansible makes a string of it.
  return pattern === null ? { type: "string" } : { type: ["string", "integer"], pattern };
}

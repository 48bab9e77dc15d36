// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// JSON Schema of a state file.

import type { Field, FieldType, State } from "../../ir/state.ts";
import { generatedFrom } from "../header.ts";
import { DRAFT, type Schema } from "./value.ts";

export const stateSchema = (state: State): Schema => ({
  $schema: DRAFT,
  $comment: generatedFrom([state.source]),
  title: state.short.replace(/\.$/, ""),
  description: state.description.join("\n\n"),
  ...objectSchema(state.fields),
  definitions: Object.fromEntries(
    state.parts.map(({ name, description, fields }) => [
      name,
      { description: description.join("\n\n"), ...objectSchema(fields) },
    ]),
  ),
  examples: [state.example],
});

const objectSchema = (fields: readonly Field[]): Schema => ({
  type: "object",
  properties: Object.fromEntries(
    fields.map(({ name, description, type }) => [name, { description: description.join(" "), ...typeSchema(type) }]),
  ),
  required: fields.filter(({ required }) => required).map(({ name }) => name),
  additionalProperties: false,
});

function typeSchema(type: FieldType): Schema {
  switch (type.is) {
    case "string":
      if (type.choices.length > 0) return { enum: type.choices };
      return { type: "string", ...(type.pattern === null ? {} : { pattern: type.pattern }) };
    case "number":
      return {
        type: type.integer ? "integer" : "number",
        ...(type.minimum === null ? {} : { minimum: type.minimum }),
      };
    case "boolean":
      return { type: "boolean" };
    case "constant":
      return { const: type.value };
    case "map":
      return {
        type: "object",
        additionalProperties: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] },
      };
    case "list":
      return { type: "array", items: typeSchema(type.elements) };
    case "part":
      // Beside a bare $ref, draft 7 ignores the description.
      return { allOf: [{ $ref: `#/definitions/${type.name}` }] };
  }
}

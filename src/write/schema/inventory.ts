// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// JSON Schema of an inventory plugin's configuration file.

import type { Document } from "../../ir/document.ts";
import { fqcn, type Spec } from "../../ir/spec.ts";
import { generatedFrom } from "../header.ts";
import { CONSTRUCTED } from "./constructed.ts";
import { annotations, DRAFT, type Schema, valueSchema } from "./value.ts";

export function inventorySchema(spec: Spec, document: Document): Schema {
  const properties = document.options.map((option) => [
    option.name,
    { ...annotations(option), ...valueSchema(option) },
  ]);
  return {
    $schema: DRAFT,
    $comment: generatedFrom([document.source]),
    title: `Inventory file of ${fqcn(spec, document.name)}`,
    description: document.short,
    type: "object",
    properties: { ...Object.fromEntries(properties), ...(document.constructed ? CONSTRUCTED : {}) },
    required: document.options.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  };
}

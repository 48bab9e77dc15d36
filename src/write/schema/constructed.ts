// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Ansible's own options of constructed inventories (doc fragment ansible.builtin.constructed), as JSON Schema.

import type { CONSTRUCTED_OPTIONS } from "../../ir/document.ts";
import type { Schema } from "./value.ts";

const expressions = (description: string): Schema => ({
  description,
  type: "object",
  additionalProperties: { type: ["string", "boolean", "number"] },
});

export const CONSTRUCTED: Readonly<Record<(typeof CONSTRUCTED_OPTIONS)[number], Schema>> = {
  strict: {
    description: "Whether a failing expression is an error, instead of being left out.",
    type: "boolean",
    default: false,
  },
  compose: expressions("Host variables by Jinja expression."),
  groups: expressions("Groups by Jinja condition."),
  keyed_groups: {
    description: "Groups named after the value of a variable.",
    type: "array",
    items: {
      type: "object",
      properties: {
        key: { description: "Jinja expression whose value names the group.", type: "string" },
        prefix: { description: "First part of the group's name.", type: "string", default: "" },
        separator: { description: "Text between prefix and value.", type: "string", default: "_" },
        parent_group: { description: "Parent of the group.", type: "string" },
        default_value: { description: "Replaces an empty value.", type: "string" },
        trailing_separator: {
          description: "Whether the separator follows the name of an empty value.",
          type: "boolean",
          default: true,
        },
      },
      required: ["key"],
      additionalProperties: false,
    },
  },
  use_extra_vars: {
    description: "Whether expressions see the variables of the command line.",
    type: "boolean",
    default: false,
  },
  leading_separator: {
    description: "Whether the name of a keyed group without prefix begins with the separator.",
    type: "boolean",
    default: true,
  },
};

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// JSON Schema of an image's playbook: any playbook, with a check of the collection's variables.

import type { Option } from "../../ir/document.ts";
import { layoutValue, type Spec, variables } from "../../ir/spec.ts";
import { generatedFrom } from "../header.ts";
import { annotations, DRAFT, type Schema, valueSchema } from "./value.ts";

/** A string whose value only Ansible knows: a template, or text encrypted by ansible-vault. */
const UNKNOWN_VALUE = "\\{\\{|\\{%|^\\s*\\$ANSIBLE_VAULT;";

/** Ansible's names for the import of a playbook, the one play without hosts. */
const IMPORTS = ["import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook"];

export function playbookSchema(spec: Spec): Schema {
  const documents = variables(spec, false);
  const options = documents.flatMap((document) => document.options);
  return {
    $schema: DRAFT,
    $comment: generatedFrom([...new Set(documents.map(({ source }) => source))]),
    title: "Playbook of an image",
    description: "A playbook as Ansible allows it. The first play's variables describe the image.",
    type: "array",
    minItems: 1,
    items: {
      type: "object",
      anyOf: ["hosts", ...IMPORTS].map((keyword) => ({ required: [keyword] })),
      properties: { vars: varsSchema(options, layoutValue(spec, "variable_prefix")) },
    },
  };
}

function varsSchema(options: readonly Option[], prefix: string): Schema {
  return {
    description: "Variables of the play.",
    type: ["object", "null"],
    properties: Object.fromEntries(options.map((option) => [option.name, variableSchema(option)])),
    propertyNames: { anyOf: [{ enum: options.map(({ name }) => name) }, { not: { pattern: `^${prefix}` } }] },
  };
}

const variableSchema = (option: Option): Schema => ({
  ...annotations(option),
  anyOf: [valueSchema(option), { type: "string", pattern: UNKNOWN_VALUE }],
});

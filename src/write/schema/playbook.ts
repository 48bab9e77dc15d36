// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// JSON Schemas of the files in which an image's variables stand: a playbook, and a file in group_vars or host_vars.

import type { Option } from "../../ir/document.ts";
import { layoutValue, type Spec, variables } from "../../ir/spec.ts";
import { generatedFrom } from "../header.ts";
import { annotations, DRAFT, type Schema, valueSchema } from "./value.ts";

/** A string whose value only Ansible knows: a template, or text encrypted by ansible-vault. */
const UNKNOWN_VALUE = "\\{\\{|\\{%|^\\s*\\$ANSIBLE_VAULT;";

/** Ansible's names for the import of a playbook, the one play without hosts. */
const IMPORTS = ["import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook"];

export function playbookSchema(spec: Spec): Schema {
  return {
    ...head(spec),
    title: "Playbook of an image",
    description: "A playbook as Ansible allows it. The first play's variables describe the image.",
    type: "array",
    minItems: 1,
    items: {
      type: "object",
      anyOf: ["hosts", ...IMPORTS].map((keyword) => ({ required: [keyword] })),
      properties: { vars: { description: "Variables of the play.", ...varsSchema(spec) } },
    },
  };
}

/** A file such as `group_vars/nspawn_runner.yml` or `host_vars/trixie.yml`. */
export function variablesSchema(spec: Spec): Schema {
  return {
    ...head(spec),
    title: "Variables of images in group_vars or host_vars",
    description: "Variables of Ansible. Those of the collection describe the images of the group, or one image.",
    ...varsSchema(spec),
  };
}

function head(spec: Spec): Schema {
  const sources = variables(spec, false).map(({ source }) => source);
  return { $schema: DRAFT, $comment: generatedFrom([...new Set(sources)]) };
}

function varsSchema(spec: Spec): Schema {
  const options = variables(spec, false).flatMap((document) => document.options);
  const prefix = layoutValue(spec, "variable_prefix");
  return {
    type: ["object", "null"],
    properties: Object.fromEntries(options.map((option) => [option.name, variableSchema(option)])),
    propertyNames: { anyOf: [{ enum: options.map(({ name }) => name) }, { not: { pattern: `^${prefix}` } }] },
  };
}

const variableSchema = (option: Option): Schema => ({
  ...annotations(option),
  anyOf: [valueSchema(option), { type: "string", pattern: UNKNOWN_VALUE }],
});

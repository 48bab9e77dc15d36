// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// An argument spec: the input of Ansible's validator of arguments and variables.

import type { Option } from "../ir/document.ts";
import { ofKind, type Spec } from "../ir/spec.ts";
import { assignment, type Python } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

/** `module_utils/_spec/argument_specs.py`: one constant per module or action. */
export function argumentSpecsFile(spec: Spec): string {
  const documents = ofKind(spec, "module", "action");
  return pythonModule(
    [...new Set(documents.map(({ source }) => source))],
    "Arguments of the modules and actions.",
    documents
      .map(({ name, options }) => assignment(name.toUpperCase(), "dict[str, dict[str, Any]]", argumentSpec(options)))
      .join("\n"),
  );
}

export const argumentSpec = (options: readonly Option[]): Python =>
  Object.fromEntries(options.map((option) => [option.name, argument(option)]));

function argument({ type, elements, choices, options, required, default: value }: Option): Python {
  return {
    type,
    ...(elements ? { elements } : {}),
    ...(choices.length > 0 ? { choices } : {}),
    ...(options.length > 0 ? { options: argumentSpec(options) } : {}),
    ...(required ? { required } : {}),
    ...(value === null ? {} : { default: value }),
  };
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// An argument spec: what Ansible's validator checks arguments and variables against.

import type { Document, Option } from "../ir/document.ts";
import { assignment, type Python } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

/** `module_utils/_NAME_spec.py`, of a module or an action. */
export const argumentSpecFile = (document: Document): string =>
  pythonModule(
    [document.source],
    `Arguments of ${document.name}.`,
    assignment("ARGUMENT_SPEC", "dict[str, dict[str, Any]]", argumentSpec(document.options)),
  );

export const argumentSpec = (options: readonly Option[]): Python =>
  Object.fromEntries(options.map((option) => [option.name, argument(option)]));

function argument({ type, elements, choices, required, default: value }: Option): Python {
  return {
    type,
    ...(elements ? { elements } : {}),
    ...(choices.length > 0 ? { choices } : {}),
    ...(required ? { required } : {}),
    ...(value === null ? {} : { default: value }),
  };
}

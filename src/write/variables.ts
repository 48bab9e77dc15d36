// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/variables.py`: what the values of an image's variables are checked against.

import { type Spec, variables } from "../ir/spec.ts";
import { argumentSpec } from "./argument-spec.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function variablesFile(spec: Spec): string {
  const users = variables(spec, false).flatMap((document) => document.options);
  const derived = variables(spec, true).flatMap((document) => document.options);
  const minimum = users.flatMap(({ name, minimum }) => (minimum === null ? [] : [[name, minimum] as const]));
  const creation = users.flatMap(({ name, option }) => (option === null ? [] : [[option, name] as const]));
  const sources = [...variables(spec, false), ...variables(spec, true)].map(({ source }) => source);
  return pythonModule(
    [...new Set(sources)],
    "Variables of an image.",
    [
      "# For ArgumentSpecValidator.\n",
      assignment("VARIABLES", "dict[str, dict[str, Any]]", argumentSpec(users)),
      "\n# Lowest value of the numbers that have one.\n",
      assignment("MINIMUM", "dict[str, int]", Object.fromEntries(minimum)),
      "\n# Options of the module that makes trees, and the variables that give them.\n",
      assignment("CREATION", "dict[str, str]", Object.fromEntries(creation)),
      "\n# Set by the collection, refused in a playbook.\n",
      assignment("DERIVED", "tuple[str, ...]", tuple(derived.map(({ name }) => name).sort())),
    ].join(""),
  );
}

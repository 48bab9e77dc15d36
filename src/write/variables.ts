// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/variables.py`: types and limits of an image's variables.

import { type Spec, variables } from "../ir/spec.ts";
import { argumentSpec } from "./argument-spec.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

const playbookVariables = (spec: Spec): Record<string, readonly string[]> =>
  Object.fromEntries(
    spec.playbooks.rows
      .filter((playbook) => playbook.variables.length > 0)
      .map((playbook) => [playbook.name, playbook.variables]),
  );

export function variablesFile(spec: Spec): string {
  const users = variables(spec, false).flatMap((document) => document.options);
  const derived = variables(spec, true).flatMap((document) => document.options);
  const minimum = users.flatMap(({ name, minimum }) => (minimum === null ? [] : [[name, minimum] as const]));
  const maximum = users.flatMap(({ name, maximum }) => (maximum === null ? [] : [[name, maximum] as const]));
  const patterns = users.flatMap(({ name, pattern, form }) =>
    pattern === null ? [] : [[name, tuple([pattern, form?.replaceAll("`", "") ?? ""])] as const],
  );
  const creation = users.flatMap(({ name, option }) => (option === null ? [] : [[option, name] as const]));
  const documents = [...variables(spec, false), ...variables(spec, true)];
  const sources = [...documents.map(({ source }) => source), spec.playbooks.source];
  return pythonModule(
    [...new Set(sources)],
    "Variables of an image.",
    [
      "# For ArgumentSpecValidator.\n",
      assignment("VARIABLES", "dict[str, dict[str, Any]]", argumentSpec(users)),
      "\n# Lowest values of numbers.\n",
      assignment("MINIMUM", "dict[str, int]", Object.fromEntries(minimum)),
      "\n# Highest values of numbers.\n",
      assignment("MAXIMUM", "dict[str, int]", Object.fromEntries(maximum)),
      '\n# Regular expressions of strings, and the end of the sentence "must be ...".\n',
      assignment("PATTERNS", "dict[str, tuple[str, str]]", Object.fromEntries(patterns)),
      "\n# Options of the module chroot, and the variables that give them.\n",
      assignment("CREATION", "dict[str, str]", Object.fromEntries(creation)),
      "\n# Variables that the collection sets. A playbook that sets one is refused.\n",
      assignment("DERIVED", "tuple[str, ...]", tuple(derived.map(({ name }) => name).sort())),
      "\n# Variables of the playbooks of the collection, for -e.\n",
      assignment("PLAYBOOK_VARIABLES", "dict[str, list[str]]", playbookVariables(spec)),
    ].join(""),
  );
}

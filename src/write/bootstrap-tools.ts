// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/bootstrap_tools.py`: the programs that make a tree.

import type { Spec } from "../ir/spec.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function bootstrapToolsFile(spec: Spec): string {
  const { bootstrap_tools, base_packages, kept_variables, kept_capabilities } = spec;
  const rows = bootstrap_tools.rows.map((tool) => ({
    name: tool.name,
    program: tool.program,
    package: tool.package,
    under: tool.under,
    arguments: tuple(tool.arguments),
    suite_files: tuple(tool.suite_files),
    upgrade: tool.upgrade,
    config_variable: tool.config_variable,
    config_lines: tuple(tool.config_lines),
    leftovers: tuple(tool.leftovers),
  }));
  return pythonModule(
    [...new Set([bootstrap_tools, base_packages, kept_variables, kept_capabilities].map(({ source }) => source))],
    "The programs that make a tree, in order of preference.",
    [
      "# {suite}, {tree}, {mirror} and so on are replaced in arguments and configuration lines; one with an unset value is left out.\n# {sources...} becomes an argument per repository.\n",
      assignment("BOOTSTRAP_TOOLS", "tuple[dict[str, Any], ...]", tuple(rows)),
      "\n# Packages of every image.\n",
      assignment("BASE_PACKAGES", "tuple[str, ...]", tuple(base_packages.rows)),
      "\n# Variables of the environment and capabilities that the programs of a creation keep.\n",
      assignment("KEPT_VARIABLES", "tuple[str, ...]", tuple(kept_variables.rows.flatMap(({ names }) => names))),
      assignment("KEPT_CAPABILITIES", "tuple[str, ...]", tuple(kept_capabilities.rows.flatMap(({ names }) => names))),
    ].join(""),
  );
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_bootstrap_tools.py`: the programs that make a tree.

import type { Spec } from "../ir/spec.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function bootstrapToolsFile({ bootstrap_tools, base_packages }: Spec): string {
  const rows = bootstrap_tools.rows.map(({ name, program, package: debian, under, arguments: args, suite_files }) => ({
    name,
    program,
    package: debian,
    under,
    arguments: tuple(args),
    suite_files: tuple(suite_files),
  }));
  return pythonModule(
    [...new Set([bootstrap_tools.source, base_packages.source])],
    "The programs that make a tree, in order of preference.",
    [
      "# Of an argument, {suite}, {tree}, {mirror} and so on are replaced; without a value the argument is left out.\n",
      assignment("BOOTSTRAP_TOOLS", "tuple[dict[str, Any], ...]", tuple(rows)),
      "\n# What every image gets.\n",
      assignment("BASE_PACKAGES", "tuple[str, ...]", tuple(base_packages.rows)),
    ].join(""),
  );
}

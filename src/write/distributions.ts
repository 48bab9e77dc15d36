// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/distributions.py`: the distributions' own archives.

import type { Spec } from "../ir/spec.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function distributionsFile({ distributions, pockets }: Spec): string {
  const rows = distributions.rows.map(({ components, ...row }) => ({ ...row, components: tuple(components) }));
  return pythonModule(
    [...new Set([distributions.source, pockets.source])],
    "Distributions that the bootstrap tools make, with their own archives.",
    [
      assignment("DISTRIBUTIONS", "tuple[dict[str, Any], ...]", tuple(rows)),
      "\n# Parts of the archives with newer packages: {suite} and {mirror} are replaced.\n",
      assignment("POCKETS", "tuple[dict[str, Any], ...]", tuple(pockets.rows.map((row) => ({ ...row })))),
    ].join(""),
  );
}

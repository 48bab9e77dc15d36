// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/layout.py`: names in the file system.

import type { Spec } from "../ir/spec.ts";
import { assignment } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function layoutFile({ layout }: Spec): string {
  const constants = layout.rows.map(
    ({ name, value, description }) => `# ${description.join(" ")}\n${assignment(name.toUpperCase(), "str", value)}`,
  );
  return pythonModule([layout.source], "Names that more than one language needs.", constants.join("\n"));
}

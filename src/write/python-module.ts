// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A module of generated Python: header, a comment about the module, imports, constants.

import { pythonHeader } from "./header.ts";

/** `about`: one sentence about the module. `Any` is imported when the body uses it. */
export function pythonModule(sources: readonly string[], about: string, body: string): string {
  const typing = /: .*\bAny\b.* = /.test(body) ? "\nfrom typing import Any\n" : "";
  return `${pythonHeader(sources)}#\n# ${about}\n\nfrom __future__ import annotations\n${typing}\n${body}`;
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A module of generated Python: header, docstring-like first comment, imports, constants.

import { pythonHeader } from "./header.ts";

/** `about`: what the module holds. Imports are collected from the names that the body uses. */
export function pythonModule(sources: readonly string[], about: string, body: string): string {
  const typing = /: .*\bAny\b.* = /.test(body) ? "\nfrom typing import Any\n" : "";
  return `${pythonHeader(sources)}#\n# ${about}\n\nfrom __future__ import annotations\n${typing}\n${body}`;
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The reference page of an image's variables.

import type { Document } from "../../ir/document.ts";
import { type Spec, variables } from "../../ir/spec.ts";
import { htmlHeader } from "../header.ts";
import { mdText } from "../literal/markdown.ts";
import { optionSection } from "./option.ts";

export function variablesPage(spec: Spec): string {
  const documents = [...variables(spec, false), ...variables(spec, true)];
  const sources = [...new Set(documents.map(({ source }) => source))];
  return [htmlHeader(sources), "# Variables\n", ...documents.map(section)].join("\n");
}

const section = (document: Document): string =>
  [
    `## ${document.derived ? "Set by the collection" : "Set by you"}\n`,
    ...[document.short, ...document.description].map((paragraph) => `${mdText(paragraph)}\n`),
    ...document.options.map((option) => optionSection({ ...option, required: false }, document.since)),
  ].join("\n");

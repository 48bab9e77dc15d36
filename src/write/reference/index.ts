// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The reference pages, and the list of them.

import type { Document } from "../../ir/document.ts";
import { fqcn, ofKind, type Spec } from "../../ir/spec.ts";
import { htmlHeader } from "../header.ts";
import { mdText } from "../literal/markdown.ts";
import { documentPage, documentPageName, KIND_NAMES } from "./document.ts";
import { programPage, programPageName } from "./program.ts";
import { statePage, stateTitle } from "./state.ts";
import { bootstrapPage, ignoredPage, nspawnPage, playbooksPage } from "./tables.ts";
import { variablesPage } from "./variables.ts";

/** Pages by file name. */
export function referencePages(spec: Spec): readonly (readonly [name: string, content: string])[] {
  const documents = ofKind(spec, "inventory", "vars", "connection", "module", "action");
  return [
    ["index.md", indexPage(spec, documents)],
    ...documents.map((document) => [documentPageName(document), documentPage(spec, document)] as const),
    ["variables.md", variablesPage(spec)],
    ["playbooks.md", playbooksPage(spec)],
    ["nspawn-command-line.md", nspawnPage(spec)],
    [programPageName(spec.program), programPage(spec)],
    ["bootstrap-tools.md", bootstrapPage(spec)],
    ["ignored-paths.md", ignoredPage(spec)],
    ...spec.states.map((state) => [`${state.name}.md`, statePage(state)] as const),
  ];
}

function indexPage(spec: Spec, documents: readonly Document[]): string {
  const content = documents.map(
    (document) =>
      `- [${fqcn(spec, document.name)}](${documentPageName(document)}), ${KIND_NAMES[document.kind]}: ${mdText(document.short)}\n`,
  );
  return [
    htmlHeader([...new Set([spec.collection.source, ...documents.map(({ source }) => source)])]),
    `# Reference of ${spec.collection.namespace}.${spec.collection.name}\n`,
    `${content.join("")}- [Variables](variables.md) of an image.\n- [Playbooks](playbooks.md) of the collection.`,
    `- [${spec.program.name}](${programPageName(spec.program)}): the program for jobs, with all verbs.`,
    "- [The systemd-nspawn command line](nspawn-command-line.md): each flag and its reason.",
    "- [Bootstrap tools](bootstrap-tools.md): the programs that make a tree.",
    "- [Ignored paths](ignored-paths.md): paths whose changes alone do not cause a publish.",
    ...spec.states.map((state) => `- [${stateTitle(state)}](${state.name}.md), as a file.`),
    "",
  ].join("\n");
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The reference page of a plugin, module or action.

import { CONSTRUCTED_OPTIONS, type Document } from "../../ir/document.ts";
import { fqcn, type Spec } from "../../ir/spec.ts";
import { htmlHeader } from "../header.ts";
import { mdCode, mdText } from "../literal/markdown.ts";
import { optionSection } from "./option.ts";

export const documentPageName = ({ kind, name }: Document): string => `${kind}-${name}.md`;

export function documentPage(spec: Spec, document: Document): string {
  const { kind, name, short, description, since, options } = document;
  return [
    htmlHeader([document.source]),
    `# ${fqcn(spec, name)}\n`,
    `${mdText(short)}\n`,
    `${[KIND_NAMES[kind], `since ${since}`, ...support(document)].join(" · ")}\n`,
    ...description.map((paragraph) => `${mdText(paragraph)}\n`),
    ...(document.constructed ? [CONSTRUCTED] : []),
    ...(document.staging ? [STAGING] : []),
    `## Options\n`,
    ...(options.length === 0 ? ["None.\n"] : options.map((option) => optionSection(option, since))),
  ].join("\n");
}

export const KIND_NAMES = {
  inventory: "inventory plugin",
  vars: "vars plugin",
  connection: "connection plugin",
  module: "module",
  action: "action",
  variables: "variables",
} as const;

const CONSTRUCTED = `It also has Ansible's options ${CONSTRUCTED_OPTIONS.map(mdCode).join(", ")}: see \`ansible-doc -t inventory ansible.builtin.constructed\`.\n`;

const STAGING = "It also has Ansible's option `stage`: see `ansible-doc -t vars ansible.builtin.host_group_vars`.\n";

const support = ({ check_mode, diff_mode }: Document): readonly string[] =>
  check_mode && diff_mode ? [`check mode: ${check_mode}`, `diff mode: ${diff_mode}`] : [];

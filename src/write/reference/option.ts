// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// An option or variable on a reference page.

import type { Option } from "../../ir/document.ts";
import { mdBlock, mdCode, mdText } from "../literal/markdown.ts";
import { yamlText } from "../literal/yaml.ts";

/** A heading, one line of facts, the sentences, the example. */
export function optionSection(option: Option, since: string): string {
  const example = option.example === null ? "" : `\n${mdBlock("yaml", yamlText({ [option.name]: option.example }))}`;
  const parts = option.options.map(
    (part) => `* ${mdCode(part.name)} (${facts(part, since).join(", ")}): ${part.description.map(mdText).join(" ")}`,
  );
  const elements = parts.length > 0 ? `\n${parts.join("\n")}\n` : "";
  return `### ${mdCode(option.name)}\n\n${facts(option, since).join(" · ")}\n\n${option.description.map(mdText).join(" ")}\n${elements}${example}`;
}

function facts(option: Option, since: string): readonly string[] {
  return [
    typeName(option),
    ...(option.required ? ["required"] : []),
    ...(option.choices.length > 0 ? [`one of ${option.choices.map(mdCode).join(", ")}`] : []),
    ...(option.form === null ? [] : [mdText(option.form)]),
    ...(option.minimum === null ? [] : [`at least ${option.minimum}`]),
    ...(option.maximum === null ? [] : [`at most ${option.maximum}`]),
    ...(option.default === null ? [] : [`default ${mdCode(JSON.stringify(option.default).replace(/^"(.*)"$/, "$1"))}`]),
    ...option.env.map((name) => `environment ${mdCode(name)}`),
    ...option.ini.map(({ section, key }) => `ansible.cfg ${mdCode(`[${section}] ${key}`)}`),
    ...option.vars.map((name) => `variable ${mdCode(name)}`),
    ...(option.since === since ? [] : [`since ${option.since}`]),
  ];
}

const TYPE_NAMES = {
  str: "string",
  path: "path",
  bool: "boolean",
  int: "number",
  float: "number",
  list: "list",
  dict: "dictionary",
} as const;

const typeName = ({ type, elements }: Option): string =>
  elements === "dict"
    ? "list of mappings"
    : elements
      ? `list of ${TYPE_NAMES[elements]}s`
      : type === "dict"
        ? "dictionary of strings"
        : TYPE_NAMES[type];

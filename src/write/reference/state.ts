// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The reference page of a state file.

import type { Field, FieldType, State } from "../../ir/state.ts";
import { htmlHeader } from "../header.ts";
import { jsonText } from "../literal/json.ts";
import { mdBlock, mdCode, mdTable, mdText } from "../literal/markdown.ts";

export const statePage = (state: State): string =>
  [
    htmlHeader([state.source]),
    `# ${stateTitle(state)}\n`,
    ...state.description.map((paragraph) => `${mdText(paragraph)}\n`),
    mdBlock("json", jsonText(state.example)),
    "## The file\n",
    fieldTable(state.fields),
    ...state.parts.flatMap(({ name, description, fields }) => [
      `## ${name}\n`,
      ...description.map((paragraph) => `${mdText(paragraph)}\n`),
      fieldTable(fields),
    ]),
  ].join("\n");

export const stateTitle = ({ short }: State): string => mdText(short).replace(/\.$/, "");

const fieldTable = (fields: readonly Field[]): string =>
  mdTable(
    ["Field", "Type", "Meaning"],
    fields.map(({ name, description, required, type }) => [
      mdCode(name),
      `${typeName(type)}${required ? "" : ", optional"}`,
      description.map(mdText).join(" "),
    ]),
  );

function typeName(type: FieldType): string {
  switch (type.is) {
    case "string":
      return type.choices.length > 0 ? `one of ${type.choices.map(mdCode).join(", ")}` : "string";
    case "number":
      return type.integer ? "whole number" : "number";
    case "boolean":
      return "boolean";
    case "constant":
      return mdCode(JSON.stringify(type.value));
    case "map":
      return "object of strings and lists of strings";
    case "list":
      return `list, each ${typeName(type.elements)}`;
    case "part":
      return `[${type.name}](#${type.name.toLowerCase()})`;
  }
}

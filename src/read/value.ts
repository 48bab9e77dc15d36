// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Values in tags (@default, @example): text to the value of an option's type.

import type { Type, Value } from "../ir/document.ts";

/** Strings of the model that a tag may name, as `{TABLE.KEY}`. */
export type Constants = ReadonlyMap<string, string>;

/** The value, or the mistake in the text. */
export type Parsed = { readonly value: Value } | { readonly problem: string };

export function parseValue(text: string, { type, elements, choices }: Type, constants: Constants): Parsed {
  if (text === "") return { problem: "The value is missing." };
  if (type === "list" || type === "dict") return parseJson(text, type, elements, choices);
  const constant = text.match(/^\{(\w+\.\w+)\}$/)?.[1];
  if (constant) {
    const value = constants.get(constant);
    return value === undefined ? { problem: `The model has no ${constant}.` } : { value };
  }
  return checked(type === "str" || type === "path" ? text : plain(text), type, choices);
}

function plain(text: string): Value {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d*)$/.test(text) ? Number(text) : text;
}

function parseJson(
  text: string,
  type: "list" | "dict",
  elements: Type["elements"],
  choices: readonly string[],
): Parsed {
  const want = type === "list" ? 'a list such as ["a", "b"]' : 'a dictionary such as {"a": "b"}';
  let value: Value;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: `${text} is not ${want}.` };
  }
  const isList = Array.isArray(value);
  if (value === null || typeof value !== "object" || isList !== (type === "list"))
    return { problem: `${text} is not ${want}.` };
  const wrong = Object.values(value)
    .map((item: Value) => checked(item, isList ? (elements ?? "str") : "str", choices))
    .find((result) => "problem" in result);
  return wrong ?? { value };
}

function checked(value: Value, type: Type["type"], choices: readonly string[]): Parsed {
  const want = {
    str: "string",
    path: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "object",
    dict: "object",
  }[type];
  if (typeof value !== want) return { problem: `${JSON.stringify(value)} is not of type ${type}.` };
  if (choices.length > 0 && !choices.includes(String(value))) {
    return { problem: `${JSON.stringify(value)} is not one of: ${choices.join(", ")}.` };
  }
  return { value };
}

/** Whether a text is a regular expression. */
export function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Python literals: the one file that quotes and breaks lines for Python.

const TUPLE = Symbol("tuple");

/** A value of Python: `null` is None, an array is a list, and `tuple()` makes a tuple. */
export type Python =
  | string
  | number
  | boolean
  | null
  | readonly Python[]
  | { readonly [TUPLE]: readonly Python[] }
  | { readonly [key: string]: Python };

export const tuple = (items: readonly Python[]): Python => ({ [TUPLE]: items });

const WIDTH = 120;
/** The linter's limit, which a string may not pass. */
const LIMIT = 160;

/** `NAME: TYPE = VALUE`. */
export const assignment = (name: string, type: string, value: Python): string => {
  const start = `${name}: ${type} = `;
  return `${start}${pythonValue(value, 0, start.length)}\n`;
};

/** A value on one line where there is room, else one item per line. `used`: columns before the value on the first line. */
export function pythonValue(value: Python, indent = 0, used = indent): string {
  const short = flat(value);
  if (typeof value === "string" && used + short.length >= LIMIT) return longString(value, indent);
  const [open, close, items] = parts(value);
  // One column is for a comma behind the value.
  if (items.length === 0 || used + short.length < WIDTH) return short;
  const inner = indent + 4;
  const lines = items.map(({ key, value: item }) => {
    const start = " ".repeat(inner) + keyText(key);
    return `${start}${pythonValue(item, inner, start.length)},\n`;
  });
  return `${open}\n${lines.join("")}${" ".repeat(indent)}${close}`;
}

/** A string in parts, one per line, each with whole words. */
function longString(text: string, indent: number): string {
  const lines = [""];
  for (const word of text.split(/(?<= )/)) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && indent + pythonString(line + word).length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = line + word;
  }
  const pad = " ".repeat(indent + 4);
  return `(\n${lines.map((line) => `${pad}${pythonString(line)}\n`).join("")}${" ".repeat(indent)})`;
}

interface Item {
  readonly key: string | null;
  readonly value: Python;
}

function flat(value: Python): string {
  const [open, close, items] = parts(value);
  if (open === "") return scalar(value);
  const texts = items.map(({ key, value: item }) => keyText(key) + flat(item));
  return `${open}${texts.join(", ")}${open === "(" && items.length === 1 ? "," : ""}${close}`;
}

const keyText = (key: string | null): string => (key === null ? "" : `${pythonString(key)}: `);

function parts(value: Python): readonly [open: string, close: string, items: readonly Item[]] {
  if (value === null || typeof value !== "object") return ["", "", []];
  if (Array.isArray(value)) return ["[", "]", value.map((item) => ({ key: null, value: item }))];
  if (TUPLE in value)
    return ["(", ")", (value[TUPLE] as readonly Python[]).map((item) => ({ key: null, value: item }))];
  return ["{", "}", Object.entries(value).map(([key, item]) => ({ key, value: item as Python }))];
}

function scalar(value: Python): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "number" ? String(value) : pythonString(String(value));
}

/** A string in double quotes, in ASCII. */
export const pythonString = (text: string): string => `"${escaped(text)}"`;

/** Long text: raw between triple quotes where possible, which is easier to read. */
export function pythonText(text: string): string {
  const raw = !text.includes('"""') && !/[\\"]$/.test(text) && !/[^\n\x20-\x7e]/.test(text);
  return raw ? `r"""${text}"""` : pythonString(text);
}

function escaped(text: string): string {
  const named: Record<string, string> = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  return text.replace(/[^\x20-\x7e]|["\\]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code > 0xffff ? `\\U${hexOf(code, 8)}` : code > 0xff ? `\\u${hexOf(code, 4)}` : `\\x${hexOf(code, 2)}`;
    return named[character] ?? hex;
  });
}

const hexOf = (code: number, digits: number): string => code.toString(16).padStart(digits, "0");

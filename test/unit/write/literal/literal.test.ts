// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Literals of each language, checked by the language itself.

import { describe, expect, test } from "vitest";
import { run } from "../../../../src/tool/run.ts";
import { ansibleMarkup } from "../../../../src/write/literal/ansible-markup.ts";
import { mdCode, mdTable, mdText } from "../../../../src/write/literal/markdown.ts";
import { type Python, pythonString, pythonText, pythonValue, tuple } from "../../../../src/write/literal/python.ts";
import { shTemplate, shWord } from "../../../../src/write/literal/sh.ts";
import { yamlText } from "../../../../src/write/literal/yaml.ts";

/** Strings that break the quoting of some language. */
const nasty = [
  "",
  " ",
  "a b",
  "'",
  '"',
  "''",
  '"""',
  "\\",
  "\\\\",
  "\\n",
  "\n",
  "\r\n",
  "\t",
  "a\n b\n\n",
  "\n\n",
  "\u0000",
  "\u0007",
  "\u007f",
  "é",
  "\u2028",
  "\ufeff",
  "\u{1f4e6}",
  "$HOME",
  "`id`",
  "$(id)",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is for other languages.
  "${x}",
  "!",
  "*",
  "~",
  "-",
  "- a",
  "--",
  "# a",
  "a #b",
  "a: b",
  "a:",
  ":",
  "?",
  "? a",
  "=",
  "<<",
  "|",
  ">",
  "&a",
  "*a",
  "!a",
  "%a",
  "@a",
  "[",
  "{",
  "{{ a }}",
  "{% a %}",
  "yes",
  "No",
  "on",
  "OFF",
  "y",
  "n",
  "true",
  "null",
  "~",
  "1",
  "012",
  "0o14",
  "0x1f",
  "1_000",
  "1e3",
  ".5",
  "1:30",
  "12:30:45",
  "2026-01-01",
  ".inf",
  ".nan",
  "...",
  "---",
  "a\u0085b",
];

const json = { from: "Debian's package python3" };

describe("Python", () => {
  test("each string comes back", async () => {
    const program = `import json\nprint(json.dumps([${nasty.map(pythonString).join(", ")}]))`;
    expect(JSON.parse((await run("python3", ["-c", program], json)).output)).toEqual(nasty);
  });

  test("each long text comes back", async () => {
    const texts = nasty.flatMap((text) => [`\n${text}`, `${text}\nmore\n`, `a${text}`]);
    const program = `import json\nprint(json.dumps([${texts.map(pythonText).join(", ")}]))`;
    expect(JSON.parse((await run("python3", ["-"], { ...json, input: program })).output)).toEqual(texts);
  });

  const rows: [name: string, given: Python, want: string][] = [
    ["None", null, "None"],
    ["booleans", [true, false], "[True, False]"],
    ["numbers", [0, -1, 248], "[0, -1, 248]"],
    ["an empty list", [], "[]"],
    ["an empty tuple", tuple([]), "()"],
    ["a tuple of one", tuple(["a"]), '("a",)'],
    ["a dictionary", { a: { b: [1] } }, '{"a": {"b": [1]}}'],
    ["a long tuple of one", tuple(["a".repeat(120)]), `(\n    "${"a".repeat(120)}",\n)`],
    ["119 columns", ["a".repeat(57), "b".repeat(54)], `["${"a".repeat(57)}", "${"b".repeat(54)}"]`],
    ["120 columns", ["a".repeat(57), "b".repeat(56)], `[\n    "${"a".repeat(57)}",\n    "${"b".repeat(56)}",\n]`],
    ["a string of 158 columns", "a b".repeat(52), `"${"a b".repeat(52)}"`],
    [
      "a longer string",
      { a: `${"b".repeat(90)} ${"c".repeat(40)} ${"d".repeat(170)}` },
      `{\n    "a": (\n        "${"b".repeat(90)} "\n        "${"c".repeat(40)} "\n        "${"d".repeat(170)}"\n    ),\n}`,
    ],
    [
      "a nested one",
      { a: ["b".repeat(60), "c".repeat(60)] },
      `{\n    "a": [\n        "${"b".repeat(60)}",\n        "${"c".repeat(60)}",\n    ],\n}`,
    ],
  ];
  test.each(rows)("%s", (_, given, want) => expect(pythonValue(given)).toBe(want));
});

describe("YAML", () => {
  test("each string comes back from the parser that Ansible uses, as value and as key", async ({ skip }) => {
    const { exitCode } = await run("/usr/bin/python3", ["-c", "import yaml"], { ...json, answers: [0, 1] });
    skip(exitCode !== 0, "/usr/bin/python3 has no PyYAML, which comes with Debian's package python3-yaml");
    // PyYAML does not read these characters.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are meant.
    const given = nasty.filter((text) => !/[\0\u0007\u007f\ufeff\u0085\u2028]/.test(text));
    const value = { values: given, keys: Object.fromEntries(given.map((text, index) => [text, index])) };
    const program = "import json, sys, yaml\nprint(json.dumps(yaml.safe_load(sys.stdin)))";
    const { output } = await run("/usr/bin/python3", ["-c", program], { ...json, input: yamlText(value) });
    expect(JSON.parse(output)).toEqual(value);
  });

  test("no line is longer than Ansible's limit", () => {
    const text = yamlText({ a: { b: ["long words of a sentence ".repeat(20)] } });
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(160);
  });
});

describe("sh", () => {
  const words = nasty.filter((text) => !text.includes("\0") && !/\{\w+\}/.test(text));

  test("each word comes back", async () => {
    const { output } = await run("sh", ["-c", `printf '%s\\0' ${words.map(shWord).join(" ")}`], {
      from: "every system",
    });
    expect(output.split("\0").slice(0, -1)).toEqual(words);
  });

  test("placeholders become variables, the rest does not change", async () => {
    const program = `name='a b $x'; printf '%s\\0' ${words.map((word) => shTemplate(`${word}={name}`)).join(" ")}`;
    const { output } = await run("sh", ["-c", program], { from: "every system" });
    expect(output.split("\0").slice(0, -1)).toEqual(words.map((word) => `${word}=a b $x`));
  });

  test("a placeholder without a value is an error", async () => {
    const { exitCode } = await run("sh", ["-c", `echo ${shTemplate("{name}")}`], {
      from: "every system",
      answers: [2],
    });
    expect(exitCode).toBe(2);
  });
});

describe("Markdown and Ansible's markup", () => {
  test.each([
    ["`a*b` and *", "`a*b` and \\*"],
    ["a <b> c_d", "a \\<b\\> c_d"],
  ])("prose %j", (given, want) => expect(mdText(given)).toBe(want));

  test.each([
    ["a", "`a`"],
    ["a`b", "`` a`b ``"],
    ["``", "``` `` ```"],
  ])("code %j", (given, want) => expect(mdCode(given)).toBe(want));

  test("a table", () => expect(mdTable(["a"], [["b|c"]])).toBe("| a |\n| --- |\n| b\\|c |\n"));

  test("backticks are constants", () => expect(ansibleMarkup("Not `a` but `b c`.")).toBe("Not C(a) but C(b c)."));
});

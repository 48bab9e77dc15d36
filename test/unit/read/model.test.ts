// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Each mistake that a model can have, with message and position.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readModel } from "../../../src/read/model.ts";
import { formatProblem, type Problem, SpecError } from "../../../src/read/problem.ts";
import { modelCheckout } from "../../support/model.ts";
import { scratch } from "../../support/scratch.ts";

/** A replacement in the small model, and the resulting problems: position and message. */
interface Row {
  readonly given: readonly [file: string, from: string, to: string];
  /** A second edit, where a mistake needs two. */
  readonly also?: Row["given"];
  readonly want: readonly string[];
}

const content = (from: string, to: string): Row["given"] => ["content.ts", from, to];
const tables = (from: string, to: string): Row["given"] => ["tables.ts", from, to];

const documents: Record<string, Row> = {
  "a type that Ansible has not": {
    given: content("box_labels?: Record<string, string>;", "box_labels?: Map<string, string>;"),
    want: ["content.ts:100:16 - error: Type Map<string, string> has no match in Ansible."],
  },
  "a union of numbers": {
    given: content("box_labels?: Record<string, string>;", "box_labels?: 1 | 2;"),
    want: ["content.ts:100:16 - error: Type 1 | 2 has no match in Ansible."],
  },
  "a dictionary of numbers": {
    given: content("box_labels?: Record<string, string>;", "box_labels?: Record<string, number>;"),
    want: ["content.ts:100:16 - error: Type Record<string, number> has no match in Ansible."],
  },
  "a list of lists": {
    given: content("files?: Path[];", "files?: Path[][];"),
    want: ["content.ts:49:11 - error: Type Path[] cannot be an element of a list."],
  },
  "a type alias that leads to itself": {
    given: content('type Colour = "red" | "green";', "type Colour = Colour;"),
    want: [
      "content.ts:69:13 - error: Type Colour cannot be an element of a list.",
      "content.ts:102:16 - error: Type Colour has no match in Ansible.",
      "content.ts:163:11 - error: The type of colour cannot be written as JSON Schema.",
    ],
  },
  "an option of a variable that the module has itself": {
    given: content(
      " * @diff_mode none\n */\nexport interface BoxModule {\n",
      " * @diff_mode none\n * @creation\n */\nexport interface BoxModule {\n",
    ),
    also: content('   * @example ["/srv:/srv"]\n', "   * @option name\n"),
    want: ["content.ts:62:18 - error: box declares the option name, and the variable box_binds gives it too."],
  },
  "an option of a variable that is no name": {
    given: content('   * @example ["/srv:/srv"]\n', "   * @option Binds\n"),
    want: ["content.ts:83:6 - error: @option must be the name of an option: a-z, 0-9 and _."],
  },
  "a property without a sentence": {
    given: content("  /** Name of the box. */\n", ""),
    want: ["content.ts:62:3 - error: name has no description. Write a sentence above name, as JSDoc."],
  },
  "tags without a sentence": {
    given: content("   * Whether the box has a network.\n   *\n", ""),
    want: ["content.ts:89:3 - error: box_online has no description."],
  },
  "an interface without a sentence": {
    given: content(" * Makes a box.\n *\n", ""),
    want: ["content.ts:59:18 - error: BoxModule has no description."],
  },
  "a sentence without a period": {
    given: content("/** Its colour. */", "/** Its colour */"),
    want: ['content.ts:101:3 - error: A sentence must end with a period: "Its colour".'],
  },
  "a backtick without a partner": {
    given: content("/** Its colour. */", "/** Its `colour. */"),
    want: ["content.ts:101:3 - error: A backtick is not closed"],
  },
  "markup that Ansible cannot write": {
    given: content("/** Its colour. */", "/** Its `f(x)`. */"),
    want: ["content.ts:101:3 - error: A closing parenthesis is not allowed between backticks: `f(x)`."],
  },
  "an unknown tag": {
    given: content("   * @minimum 1", "   * @maximium 1"),
    want: [
      "content.ts:96:6 - error: Unknown tag @maximium. Allowed here: @default, @example, @minimum, @maximum, @since, @option.",
    ],
  },
  "a tag of another kind": {
    given: content("/** Name of the box. */", "/** Name of the box.\n   * @env BOX */"),
    want: ["content.ts:63:6 - error: Unknown tag @env."],
  },
  "an unknown tag of an interface": {
    given: content(" * @constructed", " * @konstructed"),
    want: ["content.ts:17:4 - error: Unknown tag @konstructed. Allowed here: @kind, @name, @since, @constructed."],
  },
  "a tag twice": {
    given: content("   * @minimum 1", "   * @minimum 1\n   * @minimum 0"),
    want: ["content.ts:97:6 - error: @minimum is given twice."],
  },
  "a default above the maximum": {
    given: content("@maximum 10", "@maximum 4"),
    want: ["content.ts:198:6 - error: 5 is above the maximum, 4."],
  },
  "a maximum of a fraction": {
    given: content("  /** How much it holds. */", "  /** How much it holds.\n   * @maximum 4 */"),
    want: ["content.ts:194:6 - error: @maximum is allowed for whole numbers only."],
  },
  "a default that the pattern of its type refuses": {
    given: content("@default 3K", "@default 33K"),
    want: ["content.ts:190:6 - error: 33K is not a weight such as `2K`."],
  },
  "a pattern of a variable that is none": {
    given: content("@pattern ^[1-9]K$", "@pattern ^[1-9"),
    want: ["content.ts:173:4 - error: @pattern: ^[1-9 is not a valid regular expression."],
  },
  "text behind a flag": {
    given: content(" * @staging", " * @staging yes"),
    want: ["content.ts:38:4 - error: @staging takes no text."],
  },
  "a missing tag": {
    given: content(" * @name box\n", ""),
    want: ["content.ts:60:18 - error: BoxModule has no @name."],
  },
  "an unknown kind": {
    given: content("@kind inventory", "@kind lookup"),
    want: [
      "content.ts:14:4 - error: @kind must be one of: inventory, vars, connection, module, action, variables, state.",
    ],
  },
  "an interface without a kind": {
    given: content(" * @kind variables\n * @derived\n", ""),
    want: ["content.ts:110:18 - error: BoxFacts has no @kind, and no table, no option and no state uses it."],
  },
  "a name twice in an interface": {
    given: content("box_lids?: number;", "box_online?: number;"),
    want: ["content.ts:98:3 - error: box_online is given twice."],
  },
  "a variable twice": {
    given: content("box_path: Path;", "box_lids: Path;"),
    want: ["content.ts:114:3 - error: The variable box_lids is declared by another interface too."],
  },
  "two documents of one name": {
    given: content("@name box_vars", "@name box"),
    want: ["content.ts:61:18 - error: The name box is already taken."],
  },
  "a variable without the prefix": {
    given: content("box_path: Path;", "path: Path;"),
    want: ["content.ts:114:3 - error: The name of a variable must begin with box_."],
  },
  "an option of Ansible's own": {
    given: content("  root?: Path;", "  compose?: Path;"),
    want: ["content.ts:29:3 - error: compose is an option that Ansible itself adds."],
  },
  "a name with capitals": {
    given: content("box_path: Path;", "box_Path: Path;"),
    want: ["content.ts:114:3 - error: box_Path: a name may contain only a-z, 0-9 and _."],
  },
  "a method": {
    given: content("  box_path: Path;", "  box_path(): Path;"),
    want: ["content.ts:114:3 - error: An interface of the model can only have properties."],
  },
  "a base interface": {
    given: content("interface BoxFacts {", "interface BoxFacts extends Boxes {"),
    want: ["content.ts:112:35 - error: An interface of the model cannot extend another one."],
  },
  "a default that is no choice": {
    given: content('@default ["red"]', '@default ["blue"]'),
    want: ['content.ts:67:6 - error: @default: "blue" is not one of: red, green.'],
  },
  "a default of the wrong type": {
    given: content("@default 2", "@default two"),
    want: ['content.ts:95:6 - error: @default: "two" is not of type int.'],
  },
  "a default list that is none": {
    given: content("@default []", "@default none"),
    want: ["content.ts:82:6 - error: @default: none is not a list such as"],
  },
  "a default below the minimum": {
    given: content("@default 2", "@default 0"),
    want: ["content.ts:95:6 - error: 0 is below the minimum, 1."],
  },
  "a default of a required option": {
    given: content("/** Name of the box. */", "/** Name of the box.\n   * @default x */"),
    want: ["content.ts:63:6 - error: name is required, so it cannot have a default."],
  },
  "a constant that the model has not": {
    given: content("{layout.root}", "{layout.roof}"),
    want: ["content.ts:25:6 - error: @default: The model has no layout.roof."],
  },
  "an example of the wrong type": {
    given: content('@example ["/srv:/srv"]', "@example [1]"),
    want: ["content.ts:83:6 - error: @example: 1 is not of type str."],
  },
  "a version that is none": {
    given: content("@since 1.1.0", "@since soon"),
    want: ["content.ts:27:6 - error: @since must be a version such as 1.0.0."],
  },
  "an environment variable in small letters": {
    given: content("@env BOX_ROOT", "@env box_root"),
    want: ["content.ts:26:6 - error: @env must be the name of an environment variable."],
  },
  "two sentences at the top": {
    given: content(" * Makes a box.", " * Makes a box. Or two."),
    want: ["content.ts:61:18 - error: The first paragraph must be one sentence, with an empty line after it."],
  },
};

const states: Record<string, Row> = {
  "a field of a type that JSON Schema has not": {
    given: content("open?: boolean;", "open?: Map<string, string>;"),
    want: ["content.ts:151:10 - error: The type of open cannot be written as JSON Schema."],
  },
  "a union of numbers as a field": {
    given: content("format: 1;", "format: 1 | 2;"),
    want: ["content.ts:147:11 - error: The type of format cannot be written as JSON Schema."],
  },
  "a field without a sentence": {
    given: content("  /** Its lids. */\n", ""),
    want: ["content.ts:154:3 - error: lids has no description."],
  },
  "a field of a part without a sentence": {
    given: content("  /** How many there are. */\n", ""),
    want: ["content.ts:164:3 - error: count has no description."],
  },
  "a part without a sentence": {
    given: content("/** A lid of a box. */\n", ""),
    want: ["content.ts:160:18 - error: Lid has no description."],
  },
  "a tag of a field": {
    given: content("  /** Its lids. */", "  /** Its lids.\n   * @default [] */"),
    want: ["content.ts:155:6 - error: Unknown tag @default. Allowed here: none."],
  },
  "a field twice": {
    given: content("words?: string[];", "count?: string[];"),
    want: ["content.ts:167:3 - error: count is given twice."],
  },
  "a field with capitals": {
    given: content("words?: string[];", "Words?: string[];"),
    want: ["content.ts:167:3 - error: Words: a name may contain only a-z, 0-9 and _."],
  },
  "a method of a part": {
    given: content("words?: string[];", "words(): string[];"),
    want: ["content.ts:167:3 - error: An interface of the model can only have properties."],
  },
  "a part with a base": {
    given: content("interface Lid {", "interface Lid extends BoxFacts {"),
    want: ["content.ts:161:30 - error: An interface of the model cannot extend another one."],
  },
  "a part of itself": {
    given: content("words?: string[];", "words?: Lid[];"),
    want: ["content.ts:161:18 - error: Lid contains itself."],
  },
  "a part that no state is made of": {
    given: content("lids: readonly Lid[];", "lids: string[];"),
    want: ["content.ts:161:18 - error: Lid has no @kind, and no table, no option and no state uses it."],
  },
  "an example that is no JSON": {
    given: content('"open": true', '"open": yes'),
    want: ["content.ts:140:4 - error: @example is not valid JSON."],
  },
  "no example": {
    given: content(
      ` * @example {
 *   "format": 1, "weight": 0.5, "open": true, "made": "1999",
 *   "lids": [{"colour": "red", "count": 2}], "labels": {"a": "b"}
 * }
`,
      "",
    ),
    want: ["content.ts:141:18 - error: BoxState has no @example."],
  },
  "a state without a name": {
    given: content(" * @name box_state\n", ""),
    want: ["content.ts:144:18 - error: BoxState has no @name."],
  },
  "a pattern of a type that is none": {
    given: content("@pattern ^\\d{4}$", "@pattern ^(\\d{4}$"),
    want: ["content.ts:120:4 - error: @pattern: ^(\\d{4}$ is not a valid regular expression."],
  },
  "a minimum that is no number": {
    given: content(" * @integer\n * @minimum 0", " * @integer\n * @minimum none"),
    want: ["content.ts:128:4 - error: @minimum must be a whole number."],
  },
  "a pattern of a number": {
    given: content(" * @integer\n", " * @pattern ^1$\n"),
    want: ["content.ts:127:4 - error: Unknown tag @pattern. Allowed here: @integer, @minimum."],
  },
};

const literals: Record<string, Row> = {
  "a row without a sentence": {
    given: tables('why: "It is loud."', 'why: ""'),
    want: ["tables.ts:42:27 - error: why: The text is empty."],
  },
  "a row that lacks it": {
    given: tables('why: "It is loud.", ', ""),
    want: ["tables.ts:42:3 - error: A flag has no why."],
  },
  "a playbook without a period": {
    given: tables('does: "Packs every box."', 'does: "Packs every box"'),
    want: ['tables.ts:73:36 - error: does: A sentence must end with a period: "Packs every box".'],
  },
  "an unknown field": {
    given: tables('name: "boxer",', 'name: "boxer", colour: "red",'),
    want: ["tables.ts:60:20 - error: A bootstrap tool has no field colour. Known fields: "],
  },
  "a number for text": {
    given: tables('program: "boxer"', "program: 7"),
    want: ["tables.ts:60:50 - error: program must be a string that is not empty."],
  },
  "something to be run": {
    given: tables('["python3"]', '["python3", process.env.HOME]'),
    want: ["tables.ts:63:60 - error: PropertyAccessExpression is not a literal."],
  },
  "a name of the layout without a sentence": {
    given: tables("  /** Where boxes are. */\n", ""),
    want: ["tables.ts:18:3 - error: root has no description."],
  },
  "a layout without a name that the writers need": {
    given: tables("  /** Where boxes are. */\n  root:", "  /** Where boxes are. */\n  roof:"),
    want: [
      "content.ts:25:6 - error: @default: The model has no layout.root.",
      "tables.ts:193:67 - error: The model has no layout.root.",
    ],
  },
  "a flag of no variable": {
    given: tables('variable: "box_online"', 'variable: "box_onlin"'),
    want: ["tables.ts:46:3 - error: The model has no variable box_onlin."],
  },
  "a value that the variable never has": {
    given: tables("when: false", 'when: "never"'),
    want: ["tables.ts:46:3 - error: box_online cannot have the value never."],
  },
  "a flag that needs a variable which is not true or false": {
    given: tables('variable: "box_binds",', 'variable: "box_binds", needs: "box_binds",'),
    want: ["tables.ts:45:3 - error: box_binds is not a variable that is true or false."],
  },
  "a need without a variable": {
    given: tables('{ flag: "--quiet",', '{ flag: "--quiet", needs: "box_online",'),
    want: ["tables.ts:42:3 - error: when, pattern and needs need a variable."],
  },
  "an environment variable for staged trees": {
    given: tables('{ flag: "SYSTEMD_LOG=none",', '{ flag: "SYSTEMD_LOG=none", staged: true,'),
    want: [
      "tables.ts:44:3 - error: SYSTEMD_LOG=none is for staged trees: such a flag must be an argument and cannot depend on a variable.",
    ],
  },
  "a placeholder that nothing replaces": {
    given: tables("--machine={machine}", "--machine={maschine}"),
    want: ["tables.ts:43:3 - error: --machine={maschine}: unknown placeholder {maschine}. Known names: "],
  },
  "a placeholder of a tool that nothing replaces": {
    given: tables('"{suite}"', '"{suit}"'),
    want: ["tables.ts:60:3 - error: {suit}: unknown placeholder {suit}. Known names: "],
  },
  "a password among the arguments, which each user of a host can read": {
    given: tables('"{suite}"', '"{password}"'),
    want: ["tables.ts:60:3 - error: {password}: unknown placeholder {password}. Known names: "],
  },
  "a pattern that is none": {
    given: tables('"^(.+)$"', '"^(.+$"'),
    want: ["tables.ts:45:3 - error: ^(.+$ is not a valid regular expression."],
  },
  "an ignored path that starts at the host's root": {
    given: tables('path: "var/log"', 'path: "/var/log"'),
    want: ["tables.ts:84:3 - error: /var/log is not a plain path relative to a tree's root."],
  },
  "an ignored path that leaves the tree": {
    given: tables('path: "var/log"', 'path: "var/../.."'),
    want: ["tables.ts:84:3 - error: var/../.. is not a plain path relative to a tree's root."],
  },
  "an ignored path with a glob": {
    given: tables('path: "var/log"', 'path: "var/*.log"'),
    want: ["tables.ts:84:3 - error: var/*.log is not a plain path relative to a tree's root."],
  },
  "an ignored path below another": {
    given: tables('{ path: "__pycache__", anywhere: true', '{ path: "var/log/apt"'),
    want: ["tables.ts:85:3 - error: var/log/apt is already covered by var/log."],
  },
  "an ignored path in any directory": {
    given: tables('"__pycache__"', '"*/__pycache__"'),
    want: ["tables.ts:85:3 - error: */__pycache__ is not a plain path relative to a directory."],
  },
  "an exit status that is a signal's": {
    given: tables("status: 75", "status: 130"),
    want: ["tables.ts:95:3 - error: 130 is not an exit status from 1 to 125."],
  },
  "an exit status that is taken": {
    given: tables("status: 75", "status: 125"),
    want: [
      "tables.ts:95:3 - error: full (125) has the name or the status of broken (125).",
      "tables.ts:96:3 - error: broken (125) has the name or the status of full (125).",
    ],
  },
  "an exit status with a name that no shell has": {
    given: tables('name: "full"', 'name: "full-up"'),
    want: ["tables.ts:95:3 - error: full-up: a name may contain only a-z, 0-9 and _."],
  },
  "a table that is missing": {
    given: tables("export const basePackages", "export const packages"),
    want: ["src/model:1:1 - error: No file of the model declares the constant basePackages."],
  },
  "what no TypeScript is": {
    given: tables("systemd: 209 },", "systemd: 209 "),
    want: ["tables.ts:43:3 - error: ',' expected."],
  },
};

const program: Record<string, Row> = {
  "a flag in capitals": {
    given: tables('flags: ["--lids"]', 'flags: ["--Lids"]'),
    want: ["tables.ts:206:18 - error: --Lids must have the form -f or --flag."],
  },
  "an option with a short flag alone": {
    given: tables('flags: ["--lids"]', 'flags: ["-L"]'),
    want: ["tables.ts:206:18 - error: An option must have a long flag."],
  },
  "a flag of the program again": {
    given: tables('flags: ["--lids"]', 'flags: ["--lids", "-l"]'),
    want: ["tables.ts:205:16 - error: -l is given twice."],
  },
  "a flag of argparse": {
    given: tables('flags: ["--lids"]', 'flags: ["--lids", "-h"]'),
    want: ["tables.ts:205:16 - error: -h is given twice."],
  },
  "an option with the name of an argument": {
    given: tables('name: "BOX"', 'name: "LIDS"'),
    want: ["tables.ts:201:18 - error: lids is given twice."],
  },
  "an argument that is not the last and takes all words": {
    given: tables('name: "BOX",', 'name: "BOX", nargs: "*",'),
    want: ["tables.ts:201:18 - error: BOX takes any number of words, so it must be the last argument."],
  },
  "an unknown number of words": {
    given: tables('nargs: "..."', 'nargs: "2"'),
    want: ["tables.ts:203:32 - error: nargs must be one of: ?, *, +, ...."],
  },
  "an unknown type": {
    given: tables('type: "integer"', 'type: "float"'),
    want: [
      "tables.ts:206:36 - error: type must be one of: string, integer, flag, list.",
      "tables.ts:206:68 - error: An option of type string cannot have the default 2.",
    ],
  },
  "a flag with a value": {
    given: tables('type: "flag"', 'type: "flag", metavar: "X"'),
    want: ["tables.ts:194:55 - error: metavar is needed, except for a flag, which has no value."],
  },
  "an option without a name for its value": {
    given: tables('metavar: "TEXT", ', ""),
    want: ["tables.ts:208:9 - error: metavar is needed, except for a flag, which has no value."],
  },
  "a metavar in small letters": {
    given: tables('metavar: "TEXT"', 'metavar: "text"'),
    want: ["tables.ts:208:54 - error: text must be in capitals."],
  },
  "a default that is no choice": {
    given: tables('metavar: "C",', 'metavar: "C", default: "blue",'),
    want: ["tables.ts:207:71 - error: blue is not one of: red, green."],
  },
  "a completion that no shell has": {
    given: tables('completes: "directory"', 'completes: "box"'),
    want: ["tables.ts:193:109 - error: completes must be one of: image, job, file, directory, command."],
  },
  "an unknown field of a verb": {
    given: tables('name: "close",', 'name: "close", colour: "red",'),
    want: ["tables.ts:212:22 - error: A verb has no field colour."],
  },
  "a verb twice": {
    given: tables('name: "close"', 'name: "open"'),
    want: ["tables.ts:196:10 - error: open is given twice."],
  },
  "a help that is no sentence": {
    given: tables('"Colour."', '"Colour"'),
    want: ['tables.ts:207:95 - error: help: A sentence must end with a period: "Colour".'],
  },
  "a description that is no sentence": {
    given: tables('["The lid stays."]', '["The lid stays"]'),
    want: ['tables.ts:200:20 - error: description: A sentence must end with a period: "The lid stays".'],
  },
  "an exit status that a signal has": {
    given: tables("status: 3", "status: 137"),
    want: ["tables.ts:214:44 - error: 137 is not an exit status from 0 to 125."],
  },
};

describe.each([
  ["documents", documents],
  ["states", states],
  ["tables", literals],
  ["program", program],
])("%s", (_, rows) => {
  test.each(Object.entries(rows))("%s", async (_name, { given, also, want }) => {
    const directory = await modelCheckout(scratch(), also ? [given, also] : [given]);
    const lines = problemsOf(directory).map((problem) => formatProblem(problem).split("\n")[0]);
    expect(lines).toEqual(want.map((start) => expect.stringContaining(start)));
    expect(lines.every((line) => line?.startsWith("src/model"))).toBe(true);
  });
});

test.each([
  content("box_labels?: Record<string, string>;", "box_labels?: Record<\n    string /* name */,\n    string\n  >;"),
  content("labels?: Record<string, string | string[]>;", "labels?: Record<string, string[] | string>;"),
])("a dictionary type is read by its syntax, not by its text: %s %j %j", async (...edit) => {
  expect(problemsOf(await modelCheckout(scratch(), [edit]))).toEqual([]);
});

test("all problems are reported, each with the line of source", async () => {
  const directory = await modelCheckout(scratch(), [
    content("/** Its colour. */", "/** Its colour */"),
    tables('why: "It is loud."', 'why: "It is loud"'),
    tables('why: "Makes boxes."', "why: 1"),
  ]);
  const problems = problemsOf(directory);
  expect(problems.map(({ file, line }) => `${file}:${line}`)).toEqual([
    "src/model/content.ts:101",
    "src/model/tables.ts:42",
    "src/model/tables.ts:60",
  ]);
  expect(formatProblem(problems[0] as Problem)).toBe(
    'src/model/content.ts:101:3 - error: A sentence must end with a period: "Its colour".\n\n101   /** Its colour */\n      ~~~~~~~~~~~~~~~~~',
  );
});

test("package.json must have a version", async () => {
  const directory = await modelCheckout(scratch());
  await writeFile(join(directory, "package.json"), "{}");
  expect(problemsOf(directory).map(({ file, message }) => [file, message])).toEqual([
    ["package.json", '"version" must be a version such as "1.0.0".'],
  ]);
});

test("the collection's own model has no problem", () => {
  expect(problemsOf(process.cwd())).toEqual([]);
});

function problemsOf(directory: string): readonly Problem[] {
  try {
    readModel(directory);
    return [];
  } catch (error) {
    if (error instanceof SpecError) return error.problems;
    throw error;
  }
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Rules between the parts of the model.

import { type InterfaceDeclaration, Node, type VariableDeclaration } from "ts-morph";
import type { Document, Option } from "../ir/document.ts";
import { fqcn, LAYOUT_NAMES, type Spec, variables } from "../ir/spec.ts";
import type {
  BootstrapTool,
  Distribution,
  ExitStatus,
  IgnoredPath,
  Name,
  NspawnFlag,
  Playbook,
  Pocket,
  Table,
} from "../ir/tables.ts";
import type { Report } from "./problem.ts";
import type { Tables } from "./tables.ts";
import { isPattern } from "./value.ts";

/** Each name is used once in the collection, and the name of a variable begins with the prefix. */
export function checkDocuments(
  read: readonly { readonly declaration: InterfaceDeclaration; readonly document: Document }[],
  layout: Table<Name>,
  report: Report,
): void {
  const prefix = layout.rows.find(({ name }) => name === "variable_prefix")?.value ?? "";
  const documents = new Set<string>();
  const names = new Set<string>();
  const given = read.flatMap(({ document }) => (document.kind === "variables" ? document.options : []));
  for (const { declaration, document } of read) {
    // Generated files have this name, so documents of different kinds cannot share it.
    if (documents.has(document.name)) report(declaration.getNameNode(), `The name ${document.name} is already taken.`);
    documents.add(document.name);
    const options = document.creation ? document.options.map(({ name }) => name) : [];
    for (const { name, option } of given) {
      if (option !== null && options.includes(option))
        report(
          declaration.getNameNode(),
          `${document.name} declares the option ${option}, and the variable ${name} gives it too.`,
        );
    }
    if (document.kind !== "variables") continue;
    for (const { name } of document.options) {
      const property = declaration.getPropertyOrThrow(name);
      if (names.has(name)) report(property, `The variable ${name} is declared by another interface too.`);
      if (!name.startsWith(prefix)) report(property, `The name of a variable must begin with ${prefix}.`);
    }
    for (const { name } of document.options) names.add(name);
  }
}

export function checkTables(spec: Spec, tables: Tables, report: Report): void {
  const missing = LAYOUT_NAMES.filter((name) => !spec.layout.rows.some((row) => row.name === name));
  if (missing.length > 0) report(tables.layout.getNameNode(), `The layout has no ${missing.join(", no ")}.`);
  const statuses = spec.exit_statuses.rows;
  checkRows(tables.exitStatuses, statuses, (row) => statusProblems(row, statuses), report);
  checkRows(tables.bootstrapTools, spec.bootstrap_tools.rows, toolProblems, report);
  const names = spec.distributions.rows.map(({ name }) => name);
  checkRows(tables.distributions, spec.distributions.rows, distributionProblems, report);
  checkRows(tables.pockets, spec.pockets.rows, (pocket) => pocketProblems(pocket, names), report);
  checkRows(tables.playbooks, spec.playbooks.rows, (playbook) => playbookProblems(playbook, fqcn(spec, "")), report);
  const { rows } = spec.ignored_paths;
  checkRows(tables.ignoredPaths, rows, (row) => ignoredProblems(row, rows), report);
  const options = variables(spec, false).flatMap((document) => document.options);
  checkRows(tables.nspawnFlags, spec.nspawn_flags.rows, (flag) => flagProblems(flag, options), report);
}

function checkRows<Row>(
  table: VariableDeclaration,
  rows: readonly Row[],
  problems: (row: Row) => readonly string[],
  report: Report,
): void {
  for (const [index, row] of rows.entries()) {
    for (const problem of problems(row)) report(rowNode(table, index), problem);
  }
}

/** A status that a shell can return and that no signal has: 128 + N is signal N. */
function statusProblems(row: ExitStatus, rows: readonly ExitStatus[]): readonly string[] {
  const { name, status } = row;
  const problems = /^[a-z][a-z0-9_]*$/.test(name) ? [] : [`${name}: a name may contain only a-z, 0-9 and _.`];
  if (status < 1 || status > 125) problems.push(`${status} is not an exit status from 1 to 125.`);
  const other = rows.find((one) => one !== row && (one.name === name || one.status === status));
  if (other) problems.push(`${name} (${status}) has the name or the status of ${other.name} (${other.status}).`);
  return problems;
}

const TOOL_PLACEHOLDERS = ["suite", "tree", "mirror", "components", "architecture", "variant", "packages", "keyring"];
const LOGIN_PLACEHOLDERS = ["user", "password", "login"];

// Each user of the host sees the arguments of a program, so they must not have the login.
const toolProblems = (tool: BootstrapTool): readonly string[] => [
  ...[...tool.arguments, ...tool.suite_files]
    .filter((text) => text !== "{sources...}")
    .flatMap((text) => placeholderProblems(text, [...TOOL_PLACEHOLDERS, "config"])),
  ...tool.config_lines.flatMap((text) => placeholderProblems(text, [...TOOL_PLACEHOLDERS, ...LOGIN_PLACEHOLDERS])),
];

const distributionProblems = ({ suites, architectures }: Distribution): readonly string[] =>
  [suites, architectures]
    .filter((text) => !isPattern(text))
    .map((text) => `${text} is not a valid regular expression.`);

const pocketProblems = (pocket: Pocket, distributions: readonly string[]): readonly string[] => [
  ...(isPattern(pocket.suites) ? [] : [`${pocket.suites} is not a valid regular expression.`]),
  ...(distributions.includes(pocket.distribution) ? [] : [`The model has no distribution ${pocket.distribution}.`]),
  ...placeholderProblems(pocket.suite, ["suite"]),
  ...placeholderProblems(pocket.beside, ["mirror"]),
];

const playbookProblems = ({ name }: Playbook, namespace: string): readonly string[] =>
  name.startsWith(namespace) ? [] : [`${name}: the name of a playbook must begin with ${namespace}`];

/** A path must name one place in a tree exactly: no glob, no `..`, and no second row for the same place. The end of a path may have `*` inside. */
function ignoredProblems(row: IgnoredPath, rows: readonly IgnoredPath[]): readonly string[] {
  const { path, anywhere } = row;
  const parts = path.split("/");
  const plain = anywhere ? parts.filter((part, n) => part !== "*" || n === 0 || n === parts.length - 1) : parts;
  if (plain.some((part) => /^\.{0,2}$|[*?[\]]/.test(part)))
    return [`${path} is not a plain path relative to ${anywhere ? "a directory" : "a tree's root"}.`];
  if (anywhere) return [];
  const cover = rows.find((one) => one !== row && !one.anywhere && `${path}/`.startsWith(`${one.path}/`));
  return cover ? [`${path} is already covered by ${cover.path}.`] : [];
}

function flagProblems(flag: NspawnFlag, options: readonly Option[]): readonly string[] {
  const problems: string[] = [];
  const form = flag.environment ? /^[A-Z][A-Z0-9_]*=/ : /^--[a-z]/;
  if (!form.test(flag.flag))
    problems.push(`${flag.flag} must have the form ${flag.environment ? "NAME=VALUE" : "--flag"}.`);
  if (flag.staged && (flag.environment || flag.variable !== null))
    problems.push(`${flag.flag} is for staged trees: such a flag must be an argument and cannot depend on a variable.`);
  const each = flag.variable !== null && flag.when === null;
  const placeholders = each ? ["name", "machine", "value"] : ["name", "machine"];
  problems.push(...placeholderProblems(flag.flag, placeholders));
  if (flag.variable === null) {
    if (flag.when !== null || flag.pattern !== null || flag.needs !== null)
      problems.push("when, pattern and needs need a variable.");
    return problems;
  }
  const needed = options.find(({ name }) => name === flag.needs);
  if (flag.needs !== null && needed?.type !== "bool")
    problems.push(`${flag.needs} is not a variable that is true or false.`);
  const option = options.find(({ name }) => name === flag.variable);
  if (!option) return [...problems, `The model has no variable ${flag.variable}.`];
  const whenFits = typeof flag.when === "boolean" ? option.type === "bool" : option.choices.includes(String(flag.when));
  if (flag.when !== null && !whenFits) problems.push(`${flag.variable} cannot have the value ${flag.when}.`);
  if (flag.pattern !== null && !isPattern(flag.pattern))
    problems.push(`${flag.pattern} is not a valid regular expression.`);
  return problems;
}

const placeholderProblems = (text: string, known: readonly string[]): readonly string[] =>
  [...text.matchAll(/\{(\w+(?:\.{3})?)\}/g)]
    .filter(([, name]) => !known.includes(name ?? ""))
    .map(([placeholder]) => `${text}: unknown placeholder ${placeholder}. Known names: ${known.join(", ")}.`);

/** The source of a row of a table. */
function rowNode(table: VariableDeclaration, index: number): Node {
  let node: Node | undefined = table.getInitializer();
  while (Node.isAsExpression(node) || Node.isSatisfiesExpression(node)) node = node.getExpression();
  return Node.isArrayLiteralExpression(node) ? (node.getElements()[index] ?? table) : table;
}

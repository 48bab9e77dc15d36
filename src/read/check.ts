// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// What must hold between the parts of the model.

import { type InterfaceDeclaration, Node, type VariableDeclaration } from "ts-morph";
import type { Document, Option } from "../ir/document.ts";
import { fqcn, LAYOUT_NAMES, type Spec, variables } from "../ir/spec.ts";
import type { NspawnFlag } from "../ir/tables.ts";
import type { Tables } from "./model.ts";
import type { Report } from "./problem.ts";

/** Names that stand once in the whole collection. */
export function checkDocuments(
  read: readonly { readonly declaration: InterfaceDeclaration; readonly document: Document }[],
  report: Report,
): void {
  const documents = new Set<string>();
  const names = new Set<string>();
  for (const { declaration, document } of read) {
    // Generated files are named after it, whatever its kind.
    if (documents.has(document.name)) report(declaration.getNameNode(), `The name ${document.name} is taken.`);
    documents.add(document.name);
    if (document.kind !== "variables") continue;
    for (const { name } of document.options) {
      if (names.has(name)) report(declaration.getPropertyOrThrow(name), `The variable ${name} stands twice.`);
      names.add(name);
    }
  }
}

export function checkTables(spec: Spec, tables: Tables, report: Report): void {
  for (const name of LAYOUT_NAMES) {
    if (!spec.layout.rows.some((row) => row.name === name)) report(tables.layout, `The layout has no ${name}.`);
  }
  const prefix = spec.layout.rows.find(({ name }) => name === "variable_prefix")?.value ?? "";
  for (const document of spec.documents.filter(({ kind }) => kind === "variables")) {
    const file = tables.layout.getProject().getSourceFiles().find((one) => one.getBaseName() === document.source);
    const wrong = document.options.filter(({ name }) => !name.startsWith(prefix));
    for (const { name } of wrong) {
      const property = file?.getInterfaces().flatMap((one) => one.getProperties()).find((one) => one.getName() === name);
      report(property ?? tables.layout, `The name of a variable begins with ${prefix}.`);
    }
  }
  const options = variables(spec, false).flatMap((document) => document.options);
  for (const [index, flag] of spec.nspawn_flags.rows.entries()) {
    for (const message of flagProblems(flag, options)) report(rowNode(tables.nspawnFlags, index), message);
  }
  const placeholders = ["suite", "tree", "mirror", "components", "architecture", "variant", "packages", "keyring"];
  for (const [index, tool] of spec.bootstrap_tools.rows.entries()) {
    const used = [...tool.arguments, ...tool.suite_files].flatMap(placeholdersOf);
    for (const name of used.filter((one) => !placeholders.includes(one))) {
      report(rowNode(tables.bootstrapTools, index), `Nothing replaces {${name}}. There is: ${placeholders.join(", ")}.`);
    }
  }
  for (const [index, { name }] of spec.playbooks.rows.entries()) {
    if (!name.startsWith(fqcn(spec, ""))) {
      report(rowNode(tables.playbooks, index), `A playbook's name begins with ${fqcn(spec, "")}`);
    }
  }
}

function flagProblems(flag: NspawnFlag, options: readonly Option[]): readonly string[] {
  const problems: string[] = [];
  const form = flag.environment ? /^[A-Z][A-Z0-9_]*=/ : /^--[a-z]/;
  if (!form.test(flag.flag)) problems.push(`${flag.flag} is not written as ${flag.environment ? "NAME=VALUE" : "--flag"}.`);
  const each = flag.variable !== null && flag.when === null;
  const placeholders = each ? ["name", "machine", "value"] : ["name", "machine"];
  for (const name of placeholdersOf(flag.flag).filter((one) => !placeholders.includes(one))) {
    problems.push(`Nothing replaces {${name}} here. There is: ${placeholders.join(", ")}.`);
  }
  if (flag.variable === null) {
    if (flag.when !== null || flag.pattern !== null) problems.push("when and pattern need a variable.");
    return problems;
  }
  const option = options.find(({ name }) => name === flag.variable);
  if (!option) return [...problems, `There is no variable ${flag.variable}.`];
  const whenFits = typeof flag.when === "boolean" ? option.type === "bool" : option.choices.includes(String(flag.when));
  if (flag.when !== null && !whenFits) problems.push(`${flag.variable} is never ${flag.when}.`);
  if (flag.pattern !== null && !isPattern(flag.pattern)) problems.push(`${flag.pattern} is no pattern.`);
  return problems;
}

const placeholdersOf = (text: string): readonly string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

/** A row of a table in the source. */
function rowNode(table: VariableDeclaration, index: number): Node {
  let node: Node | undefined = table.getInitializer();
  while (Node.isAsExpression(node) || Node.isSatisfiesExpression(node)) node = node.getExpression();
  return Node.isArrayLiteralExpression(node) ? (node.getElements()[index] ?? table) : table;
}

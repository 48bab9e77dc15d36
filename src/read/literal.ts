// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Literals of the model's tables, read from the syntax tree: the model's code never runs.

import { type Expression, Node } from "ts-morph";
import type { Report } from "./problem.ts";

export type Literal =
  | { readonly kind: "scalar"; readonly value: string | number | boolean; readonly node: Node }
  | { readonly kind: "list"; readonly items: readonly Literal[]; readonly node: Node }
  | { readonly kind: "record"; readonly entries: ReadonlyMap<string, Entry>; readonly node: Node };

export interface Entry {
  /** The declaration of the entry, with the comment. */
  readonly property: Node;
  readonly literal: Literal;
}

/** Reads a literal. Any other expression is a mistake, and read as a string of the source text. */
export function readLiteral(node: Expression, report: Report): Literal {
  if (Node.isAsExpression(node) || Node.isSatisfiesExpression(node) || Node.isParenthesizedExpression(node)) {
    return readLiteral(node.getExpression(), report);
  }
  if (Node.isArrayLiteralExpression(node)) {
    return { kind: "list", items: node.getElements().map((element) => readLiteral(element, report)), node };
  }
  if (Node.isObjectLiteralExpression(node)) return { kind: "record", entries: readEntries(node, report), node };
  return { kind: "scalar", value: readScalar(node, report), node };
}

function readScalar(node: Expression, report: Report): string | number | boolean {
  if (Node.isStringLiteral(node) || Node.isNoSubstitutionTemplateLiteral(node) || Node.isNumericLiteral(node)) {
    return node.getLiteralValue();
  }
  if (Node.isTrueLiteral(node) || Node.isFalseLiteral(node)) return node.getLiteralValue();
  if (/^-\d+$/.test(node.getText())) return Number(node.getText());
  report(
    node,
    `${node.getKindName()} is not a literal. A table may contain only strings, numbers, true, false, lists and objects.`,
  );
  return node.getText();
}

function readEntries(node: Node, report: Report): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  if (!Node.isObjectLiteralExpression(node)) return entries;
  for (const property of node.getProperties()) {
    const value = Node.isPropertyAssignment(property) ? property.getInitializer() : undefined;
    if (!Node.isPropertyAssignment(property) || !value) {
      report(property, "Write an object of a table as name: value.");
      continue;
    }
    const nameNode = property.getNameNode();
    const name = Node.isStringLiteral(nameNode) ? nameNode.getLiteralValue() : nameNode.getText();
    if (entries.has(name)) report(nameNode, `${name} is given twice.`);
    entries.set(name, { property, literal: readLiteral(value, report) });
  }
  return entries;
}

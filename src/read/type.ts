// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// TypeScript's types to Ansible's.

import { Node, SyntaxKind, type TypeAliasDeclaration, type TypeNode } from "ts-morph";
import type { ScalarType, Type } from "../ir/document.ts";
import type { Report } from "./problem.ts";

export type Aliases = ReadonlyMap<string, TypeAliasDeclaration>;

const SUPPORTED =
  "Use string, boolean, number, a union of string literals, a type of types.ts, an array of one, or Record<string, string>";

/** Reads the type of an option. A type that Ansible has no match for is a mistake, and read as a string. */
export function readType(node: TypeNode, aliases: Aliases, report: Report): Type {
  const type = arrayType(node, aliases, report) ?? dictType(node) ?? scalarType(node, aliases, []);
  if (type) return type;
  report(node, `Type ${node.getText()} has no match in Ansible. ${SUPPORTED}.`);
  return { type: "str", elements: null, choices: [] };
}

function arrayType(node: TypeNode, aliases: Aliases, report: Report): Type | null {
  const array = Node.isTypeOperatorTypeNode(node) ? node.getTypeNode() : node;
  if (!Node.isArrayTypeNode(array)) return null;
  const element = array.getElementTypeNode();
  const inner = Node.isParenthesizedTypeNode(element) ? element.getTypeNode() : element;
  const type = scalarType(inner, aliases, []);
  if (!type) report(element, `Type ${element.getText()} cannot be an element of a list. ${SUPPORTED}.`);
  return { type: "list", elements: type ? (type.type as ScalarType) : "str", choices: type?.choices ?? [] };
}

function dictType(node: TypeNode): Type | null {
  const value = recordValue(node);
  return value && isString(value) ? { type: "dict", elements: null, choices: [] } : null;
}

/** The type of the values of `Record<string, VALUE>`, or null for another type. */
export function recordValue(node: TypeNode): TypeNode | null {
  if (!Node.isTypeReference(node) || node.getTypeName().getText() !== "Record") return null;
  const [key, value] = node.getTypeArguments();
  return key && value && isString(key) ? value : null;
}

export const isString = (node: TypeNode): boolean => node.getKind() === SyntaxKind.StringKeyword;

/** `seen`: the aliases that led to this type. An alias that refers to itself has no type. */
function scalarType(node: TypeNode, aliases: Aliases, seen: readonly string[]): Type | null {
  const text = node.getText();
  if (isString(node)) return scalar("str");
  if (text === "boolean") return scalar("bool");
  if (text === "number") return scalar("int");
  if (Node.isTypeReference(node) && !seen.includes(text)) {
    const target = aliases.get(text)?.getTypeNode();
    const type = target ? scalarType(target, aliases, [...seen, text]) : null;
    if (type && text === "Path") return { ...type, type: "path" };
    return type && text === "Decimal" ? { ...type, type: "float" } : type;
  }
  const literals = Node.isUnionTypeNode(node) ? node.getTypeNodes() : [node];
  const choices = literals.map(stringLiteral);
  return choices.every((choice) => choice !== null) ? scalar("str", choices) : null;
}

const scalar = (type: ScalarType, choices: readonly string[] = []): Type => ({ type, elements: null, choices });

function stringLiteral(node: TypeNode): string | null {
  const literal = Node.isLiteralTypeNode(node) ? node.getLiteral() : undefined;
  return literal && Node.isStringLiteral(literal) ? literal.getLiteralValue() : null;
}

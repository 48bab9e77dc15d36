// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// An interface of kind `state`, with the interfaces of its parts, to a state of the IR.

import { type InterfaceDeclaration, Node, type PropertySignature, SyntaxKind, type TypeNode } from "ts-morph";
import type { Value } from "../ir/document.ts";
import type { Field, FieldType, Part, State } from "../ir/state.ts";
import { readHeading, readProperties } from "./interface.ts";
import { readComment, readInteger, type Tag, tagNamed } from "./jsdoc.ts";
import type { Context } from "./option.ts";
import { sentences } from "./sentence.ts";
import { isString, recordValue } from "./type.ts";
import { isPattern } from "./value.ts";

export type Interfaces = ReadonlyMap<string, InterfaceDeclaration>;

const SUPPORTED =
  "Use string, number, boolean, a literal, a union of string literals, a type of types.ts, an interface, an array of one, or Record<string, string | string[]>";

/** Reads the state that an interface declares. */
export function readState(declaration: InterfaceDeclaration, interfaces: Interfaces, context: Context): State {
  const { report } = context;
  const tags = { required: ["kind", "name", "since", "example"], optional: [] };
  const { comment, name, since, short, description } = readHeading(declaration, tags, report);
  const reading: Reading = { ...context, interfaces, aliasTypes: new Map() };
  return {
    name: name ?? "",
    source: declaration.getSourceFile().getBaseName(),
    since,
    short,
    description,
    fields: readFields(declaration, reading),
    parts: partsOf(declaration, interfaces).map((part) => readPart(part, reading)),
    example: readExample(tagNamed(comment, "example"), context),
  };
}

/** Whether an interface declares a state. */
export const isState = (declaration: InterfaceDeclaration): boolean =>
  declaration
    .getJsDocs()
    .flatMap((doc) => doc.getTags())
    .some((tag) => tag.getTagName() === "kind" && tag.getCommentText()?.trim() === "state");

/** The interfaces that an interface refers to, directly or through others, in the order of the references. */
export function partsOf(declaration: InterfaceDeclaration, interfaces: Interfaces): readonly InterfaceDeclaration[] {
  const found = new Set<InterfaceDeclaration>();
  const visit = (one: InterfaceDeclaration) => {
    for (const reference of one.getDescendantsOfKind(SyntaxKind.TypeReference)) {
      const part = interfaces.get(reference.getText());
      if (!part || found.has(part)) continue;
      found.add(part);
      visit(part);
    }
  };
  visit(declaration);
  return [...found];
}

interface Reading extends Context {
  readonly interfaces: Interfaces;
  /** Each alias is read once, so that a mistake in an alias is reported once. */
  readonly aliasTypes: Map<string, FieldType | null>;
}

function readPart(declaration: InterfaceDeclaration, reading: Reading): Part {
  const { report, interfaces } = reading;
  const name = declaration.getName();
  if (partsOf(declaration, interfaces).includes(declaration))
    report(declaration.getNameNode(), `${name} contains itself.`);
  const comment = readComment(declaration, name, [], [], report);
  return { name, description: comment.paragraphs, fields: readFields(declaration, reading) };
}

const readFields = (declaration: InterfaceDeclaration, reading: Reading): readonly Field[] =>
  readProperties(declaration, (property) => readField(property, reading), reading.report);

function readField(property: PropertySignature, reading: Reading): Field {
  const { report } = reading;
  const name = property.getName();
  const comment = readComment(property, name, [], [], report);
  const node = property.getTypeNode();
  const type = node ? fieldType(node, reading) : null;
  if (!type)
    report(node ?? property.getNameNode(), `The type of ${name} cannot be written as JSON Schema. ${SUPPORTED}.`);
  return {
    name,
    description: comment.paragraphs.flatMap(sentences),
    required: !property.hasQuestionToken(),
    type: type ?? text(),
  };
}

const text = (choices: readonly string[] = [], pattern: string | null = null): FieldType => ({
  is: "string",
  choices,
  pattern,
});

function fieldType(node: TypeNode, reading: Reading): FieldType | null {
  const array = Node.isTypeOperatorTypeNode(node) ? node.getTypeNode() : node;
  if (Node.isArrayTypeNode(array)) {
    const elements = fieldType(array.getElementTypeNode(), reading);
    return elements && { is: "list", elements };
  }
  const name = node.getText();
  if (isString(node)) return text();
  if (name === "number") return { is: "number", integer: false, minimum: null };
  if (name === "boolean") return { is: "boolean" };
  const value = recordValue(node);
  if (value && isStringOrStrings(value)) return { is: "map" };
  if (reading.interfaces.has(name)) return { is: "part", name };
  if (Node.isTypeReference(node)) return aliasType(name, reading);
  return literalType(node);
}

/** Whether a type is `string | string[]`, in either order. */
function isStringOrStrings(node: TypeNode): boolean {
  const types = Node.isUnionTypeNode(node) ? node.getTypeNodes() : [];
  const isList = (type: TypeNode): boolean => Node.isArrayTypeNode(type) && isString(type.getElementTypeNode());
  return types.length === 2 && types.some(isString) && types.some(isList);
}

function literalType(node: TypeNode): FieldType | null {
  const values = (Node.isUnionTypeNode(node) ? node.getTypeNodes() : [node]).map((one) => {
    const literal = Node.isLiteralTypeNode(one) ? one.getLiteral() : undefined;
    return Node.isStringLiteral(literal) || Node.isNumericLiteral(literal) ? literal.getLiteralValue() : null;
  });
  const [only] = values;
  if (values.length === 1 && only != null) return { is: "constant", value: only };
  return values.every((value) => typeof value === "string") ? text(values) : null;
}

/** The type of an alias, with the limits that its tags set. */
function aliasType(name: string, reading: Reading): FieldType | null {
  const known = reading.aliasTypes.get(name);
  if (known !== undefined) return known;
  // Set while the alias is read: an alias that refers to itself has no type.
  reading.aliasTypes.set(name, null);
  const alias = reading.aliases.get(name);
  const target = alias?.getTypeNode();
  const type = alias && target ? fieldType(target, reading) : null;
  const limited = alias && type ? limit(type, alias, reading) : type;
  reading.aliasTypes.set(name, limited);
  return limited;
}

function limit(type: FieldType, alias: Node, { report }: Reading): FieldType {
  const allowed = type.is === "string" ? ["pattern"] : type.is === "number" ? ["integer", "minimum"] : [];
  const comment = readComment(alias, "The type", allowed, [], report);
  if (type.is === "string") {
    const tag = tagNamed(comment, "pattern");
    if (tag && !isPattern(tag.text)) report(tag.node, `@pattern: ${tag.text} is not a valid regular expression.`);
    return tag ? { ...type, pattern: tag.text } : type;
  }
  if (type.is !== "number") return type;
  return {
    ...type,
    integer: type.integer || tagNamed(comment, "integer") !== undefined,
    minimum: readInteger(tagNamed(comment, "minimum"), report) ?? type.minimum,
  };
}

function readExample(tag: Tag | undefined, { report }: Context): Value {
  try {
    return tag ? JSON.parse(tag.text) : null;
  } catch {
    if (tag) report(tag.node, "@example is not valid JSON.");
    return null;
  }
}

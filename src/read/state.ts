// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// An interface of kind `state`, and those that it is made of, to a state of the IR.

import { type InterfaceDeclaration, Node, type PropertySignature, SyntaxKind, type TypeNode } from "ts-morph";
import type { Value } from "../ir/document.ts";
import type { Field, FieldType, Part, State } from "../ir/state.ts";
import { readComment, type Tag, tagNamed } from "./jsdoc.ts";
import { type Context, readVersion } from "./option.ts";
import { sentences } from "./sentence.ts";
import { isPattern } from "./value.ts";

export type Interfaces = ReadonlyMap<string, InterfaceDeclaration>;

const SUPPORTED =
  "Use string, number, boolean, a literal, a union of string literals, a type of types.ts, an interface, an array of one, or Record<string, string | string[]>";

/** Reads the state that this interface declares. */
export function readState(declaration: InterfaceDeclaration, interfaces: Interfaces, context: Context): State {
  const { report } = context;
  const nameNode = declaration.getNameNode();
  const tags = ["kind", "name", "since", "example"];
  const comment = readComment(declaration, declaration.getName(), tags, [], report);
  for (const tag of tags) if (!tagNamed(comment, tag)) report(nameNode, `${declaration.getName()} has no @${tag}.`);
  const [short = "", ...description] = comment.paragraphs;
  if (sentences(short).length > 1)
    report(nameNode, "The first paragraph is one sentence; the others follow an empty line.");
  const reading: Reading = { ...context, interfaces, aliasTypes: new Map() };
  return {
    name: readName(tagNamed(comment, "name"), context),
    source: declaration.getSourceFile().getBaseName(),
    since: readVersion(tagNamed(comment, "since"), report) ?? "0.0.0",
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

/** The interfaces that an interface is made of, and those that they are made of, in the order in which they are named. */
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
  /** An alias is read once, so that its mistakes are told once. */
  readonly aliasTypes: Map<string, FieldType | null>;
}

function readPart(declaration: InterfaceDeclaration, reading: Reading): Part {
  const { report, interfaces } = reading;
  const name = declaration.getName();
  if (partsOf(declaration, interfaces).includes(declaration))
    report(declaration.getNameNode(), `${name} is a part of itself.`);
  const comment = readComment(declaration, name, [], [], report);
  return { name, description: comment.paragraphs, fields: readFields(declaration, reading) };
}

function readFields(declaration: InterfaceDeclaration, reading: Reading): readonly Field[] {
  const { report } = reading;
  for (const base of declaration.getExtends()) report(base, "An interface of the model extends no other.");
  const fields: Field[] = [];
  for (const member of declaration.getMembers()) {
    if (!Node.isPropertySignature(member)) {
      report(member, "An interface of the model has properties only.");
      continue;
    }
    const field = readField(member, reading);
    if (fields.some(({ name }) => name === field.name)) report(member.getNameNode(), `${field.name} stands twice.`);
    fields.push(field);
  }
  return fields;
}

function readField(property: PropertySignature, reading: Reading): Field {
  const { report } = reading;
  const name = property.getName();
  const comment = readComment(property, name, [], [], report);
  if (!/^[a-z][a-z0-9_]*$/.test(name)) report(property.getNameNode(), `${name}: a name is of a-z, 0-9 and _.`);
  const node = property.getTypeNode();
  const type = node ? fieldType(node, reading) : null;
  if (!type) report(node ?? property.getNameNode(), `${name} has no type that JSON Schema can say. ${SUPPORTED}.`);
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
  if (name === "string") return text();
  if (name === "number") return { is: "number", integer: false, minimum: null };
  if (name === "boolean") return { is: "boolean" };
  if (name.replace(/\s/g, "") === "Record<string,string|string[]>") return { is: "map" };
  if (reading.interfaces.has(name)) return { is: "part", name };
  if (Node.isTypeReference(node)) return aliasType(name, reading);
  return literalType(node);
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

/** What an alias means, with the limits that its tags set. */
function aliasType(name: string, reading: Reading): FieldType | null {
  const known = reading.aliasTypes.get(name);
  if (known !== undefined) return known;
  // While it is read, so that one that leads back to itself has no type.
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
    if (tag && !isPattern(tag.text)) report(tag.node, `@pattern: ${tag.text} is no pattern.`);
    return tag ? { ...type, pattern: tag.text } : type;
  }
  if (type.is !== "number") return type;
  const minimum = tagNamed(comment, "minimum");
  if (minimum && !/^-?\d+$/.test(minimum.text)) report(minimum.node, "@minimum is a whole number.");
  return {
    ...type,
    integer: type.integer || tagNamed(comment, "integer") !== undefined,
    minimum: minimum ? Number.parseInt(minimum.text, 10) : type.minimum,
  };
}

function readName(tag: Tag | undefined, { report }: Context): string {
  if (tag && !/^[a-z][a-z0-9_]*$/.test(tag.text)) report(tag.node, "@name is of a-z, 0-9 and _.");
  return tag?.text ?? "";
}

function readExample(tag: Tag | undefined, { report }: Context): Value {
  try {
    return tag ? JSON.parse(tag.text) : null;
  } catch {
    if (tag) report(tag.node, "@example is no JSON.");
    return null;
  }
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of every interface of the model: a comment with tags, and properties.

import { type InterfaceDeclaration, Node, type PropertySignature } from "ts-morph";
import { type Comment, readComment, readVersion, tagNamed } from "./jsdoc.ts";
import type { Report } from "./problem.ts";
import { sentences } from "./sentence.ts";

export interface Tags {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

export interface Heading {
  readonly comment: Comment;
  /** Text of `@name`. */
  readonly name: string | null;
  readonly since: string;
  /** The first paragraph, one sentence. */
  readonly short: string;
  /** The other paragraphs. */
  readonly description: readonly string[];
}

const NAME = /^[a-z][a-z0-9_]*$/;

/** Reads the comment above an interface. */
export function readHeading(declaration: InterfaceDeclaration, { required, optional }: Tags, report: Report): Heading {
  const nameNode = declaration.getNameNode();
  const comment = readComment(declaration, declaration.getName(), [...required, ...optional], [], report);
  for (const tag of required) {
    if (!tagNamed(comment, tag)) report(nameNode, `${declaration.getName()} has no @${tag}.`);
  }
  const [short = "", ...description] = comment.paragraphs;
  if (sentences(short).length > 1)
    report(nameNode, "The first paragraph must be one sentence, with an empty line after it.");
  const name = tagNamed(comment, "name");
  if (name && !NAME.test(name.text)) report(name.node, "@name may contain only a-z, 0-9 and _.");
  const since = readVersion(tagNamed(comment, "since"), report) ?? "0.0.0";
  return { comment, name: name?.text ?? null, since, short, description };
}

/** Reads the properties of an interface. Any other member is a mistake. */
export function readProperties<Result extends { readonly name: string }>(
  declaration: InterfaceDeclaration,
  read: (property: PropertySignature) => Result,
  report: Report,
): readonly Result[] {
  for (const base of declaration.getExtends()) report(base, "An interface of the model cannot extend another one.");
  const results: Result[] = [];
  for (const member of declaration.getMembers()) {
    if (!Node.isPropertySignature(member)) {
      report(member, "An interface of the model can only have properties.");
      continue;
    }
    const nameNode = member.getNameNode();
    const name = member.getName();
    if (!NAME.test(name)) report(nameNode, `${name}: a name may contain only a-z, 0-9 and _.`);
    const result = read(member);
    if (results.some((earlier) => earlier.name === result.name)) report(nameNode, `${name} is given twice.`);
    results.push(result);
  }
  return results;
}

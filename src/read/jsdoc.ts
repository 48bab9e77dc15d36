// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The JSDoc of a declaration: prose and tags.

import { type JSDoc, type JSDocTag, Node, SyntaxKind } from "ts-morph";
import type { Report } from "./problem.ts";
import { paragraphs, proseProblem } from "./sentence.ts";

export interface Tag {
  readonly name: string;
  readonly text: string;
  readonly node: JSDocTag;
}

export interface Comment {
  readonly paragraphs: readonly string[];
  readonly tags: readonly Tag[];
}

/**
 * Reads the comment of a declaration. A missing description is a mistake, and so is a tag that is not in `allowed`, or that is given twice
 * without being in `repeatable`.
 */
export function readComment(
  node: Node,
  name: string,
  allowed: readonly string[],
  repeatable: readonly string[],
  report: Report,
): Comment {
  const docs = docsOf(node);
  const doc = docs.at(-1);
  if (docs.length > 1) report(docs[0] as JSDoc, `${name} has ${docs.length} JSDoc comments: merge them into one.`);
  const prose = paragraphs(doc?.getDescription() ?? "");
  if (prose.length === 0) report(named(node), `${name} has no description. Write a sentence above ${name}, as JSDoc.`);
  for (const paragraph of prose) {
    const problem = proseProblem(paragraph);
    if (problem && doc) report(doc, problem);
  }
  const tags = (doc?.getTags() ?? []).map(readTag);
  checkTags(tags, allowed, repeatable, report);
  return { paragraphs: prose, tags };
}

/** Text of a tag that is given at most once. */
export const tagText = (comment: Comment, name: string): string | undefined => tagNamed(comment, name)?.text;

export const tagNamed = (comment: Comment, name: string): Tag | undefined =>
  comment.tags.find((tag) => tag.name === name);

export const VERSION = /^\d+\.\d+\.\d+$/;

/** A version in a tag, or null. */
export function readVersion(tag: Tag | undefined, report: Report): string | null {
  if (tag && !VERSION.test(tag.text)) report(tag.node, `@${tag.name} must be a version such as 1.0.0.`);
  return tag?.text ?? null;
}

/** A whole number in a tag, or null. */
export function readInteger(tag: Tag | undefined, report: Report): number | null {
  if (tag && !/^-?\d+$/.test(tag.text)) report(tag.node, `@${tag.name} must be a whole number.`);
  return tag ? Number.parseInt(tag.text, 10) : null;
}

// ts-morph has no method for the comments of an object's properties.
const docsOf = (node: Node): JSDoc[] =>
  Node.isJSDocable(node) ? node.getJsDocs() : node.getChildrenOfKind(SyntaxKind.JSDoc);

const readTag = (node: JSDocTag): Tag => ({
  name: node.getTagName(),
  text: (node.getCommentText() ?? "").trim(),
  node,
});

function checkTags(tags: readonly Tag[], allowed: readonly string[], repeatable: readonly string[], report: Report) {
  for (const [index, { name, node }] of tags.entries()) {
    if (!allowed.includes(name)) {
      report(node, `Unknown tag @${name}. Allowed here: ${allowed.map((tag) => `@${tag}`).join(", ") || "none"}.`);
    } else if (!repeatable.includes(name) && tags.findIndex((tag) => tag.name === name) < index) {
      report(node, `@${name} is given twice.`);
    }
  }
}

/** The name of a declaration: a mistake is shown there, and not on the whole body. */
function named(node: Node): Node {
  return node.getFirstChild((child) => child.getText() !== "" && child.getKindName() === "Identifier") ?? node;
}

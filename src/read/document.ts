// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// An interface of the model to a document.

import { type InterfaceDeclaration, Node } from "ts-morph";
import { type Document, KINDS, type Kind, type Option, SUPPORT, type Support } from "../ir/document.ts";
import { type Comment, readComment, tagNamed, tagText } from "./jsdoc.ts";
import { type Context, readOption, readVersion } from "./option.ts";
import type { Report } from "./problem.ts";
import { sentences } from "./sentence.ts";

/** Tags of an interface, by its kind. */
const TAGS: Record<Kind, { readonly required: readonly string[]; readonly optional: readonly string[] }> = {
  inventory: { required: ["kind", "name", "since"], optional: ["constructed"] },
  vars: { required: ["kind", "name", "since"], optional: ["staging"] },
  connection: { required: ["kind", "name", "since"], optional: [] },
  module: { required: ["kind", "name", "since", "check_mode", "diff_mode"], optional: ["creation"] },
  action: { required: ["kind", "name", "since", "check_mode", "diff_mode"], optional: [] },
  variables: { required: ["kind", "since"], optional: ["derived"] },
};

const ALL_TAGS = Object.values(TAGS).flatMap(({ required, optional }) => [...required, ...optional]);

/** Options that Ansible adds to an inventory plugin, which the plugin cannot have a second time. */
const CONSTRUCTED = ["strict", "compose", "groups", "keyed_groups", "use_extra_vars", "leading_separator"];

export function readDocument(declaration: InterfaceDeclaration, context: Context): Document {
  const { report } = context;
  const nameNode = declaration.getNameNode();
  const known = readKind(declaration, report);
  // Of an unknown kind everything may be right, so one message is enough.
  const kind = known ?? "inventory";
  const tags = known ? TAGS[known] : { required: [], optional: ALL_TAGS };
  const comment = readComment(declaration, declaration.getName(), [...tags.required, ...tags.optional], [], report);
  for (const tag of tags.required) {
    if (!tagNamed(comment, tag)) report(nameNode, `${declaration.getName()} has no @${tag}.`);
  }
  const [short = "", ...description] = comment.paragraphs;
  if (sentences(short).length > 1)
    report(nameNode, "The first paragraph is one sentence; the others follow an empty line.");
  const since = readVersion(tagNamed(comment, "since"), report) ?? "0.0.0";
  return {
    kind,
    name: readName(declaration, comment, report),
    source: declaration.getSourceFile().getBaseName(),
    since,
    short,
    description,
    constructed: readFlag(comment, "constructed", report),
    staging: readFlag(comment, "staging", report),
    derived: readFlag(comment, "derived", report),
    creation: readFlag(comment, "creation", report),
    check_mode: readSupport(comment, "check_mode", report),
    diff_mode: readSupport(comment, "diff_mode", report),
    options: readOptions(declaration, kind, since, tagNamed(comment, "constructed") !== undefined, context),
  };
}

/** Whether an interface describes content of the collection; the others are the types of tables. */
export const isDocument = (declaration: InterfaceDeclaration): boolean =>
  declaration.getJsDocs().some((doc) => doc.getTags().some((tag) => tag.getTagName() === "kind"));

function readKind(declaration: InterfaceDeclaration, report: Report): Kind | null {
  const tag = declaration
    .getJsDocs()
    .flatMap((doc) => doc.getTags())
    .find((candidate) => candidate.getTagName() === "kind");
  const kind = KINDS.find((candidate) => candidate === tag?.getCommentText()?.trim());
  if (!kind && tag) report(tag, `@kind is one of: ${[...KINDS, "state"].join(", ")}.`);
  return kind ?? null;
}

/** Variables have no name in Ansible; theirs is the interface's. */
function readName(declaration: InterfaceDeclaration, comment: Comment, report: Report): string {
  const tag = tagNamed(comment, "name");
  if (tag && !/^[a-z][a-z0-9_]*$/.test(tag.text)) report(tag.node, "@name is of a-z, 0-9 and _.");
  const kebab = declaration.getName().replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`);
  return tag?.text ?? kebab.toLowerCase();
}

function readFlag(comment: Comment, name: string, report: Report): boolean {
  const tag = tagNamed(comment, name);
  if (tag && tag.text !== "") report(tag.node, `@${name} stands alone, without text.`);
  return tag !== undefined;
}

function readSupport(comment: Comment, name: string, report: Report): Support | null {
  const support = SUPPORT.find((candidate) => candidate === tagText(comment, name));
  const tag = tagNamed(comment, name);
  if (tag && !support) report(tag.node, `@${name} is one of: ${SUPPORT.join(", ")}.`);
  return support ?? null;
}

function readOptions(
  declaration: InterfaceDeclaration,
  kind: Kind,
  since: string,
  constructed: boolean,
  context: Context,
): Option[] {
  const { report } = context;
  for (const base of declaration.getExtends()) report(base, "An interface of the model extends no other.");
  const options: Option[] = [];
  for (const member of declaration.getMembers()) {
    if (!Node.isPropertySignature(member)) {
      report(member, "An interface of the model has properties only.");
      continue;
    }
    const option = readOption(member, kind, since, context);
    if (options.some(({ name }) => name === option.name)) report(member.getNameNode(), `${option.name} stands twice.`);
    if (constructed && CONSTRUCTED.includes(option.name))
      report(member.getNameNode(), `${option.name} is an option of Ansible's own.`);
    options.push(option);
  }
  return options;
}

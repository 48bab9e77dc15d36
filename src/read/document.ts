// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// An interface of the model to a document.

import type { InterfaceDeclaration } from "ts-morph";
import { CONSTRUCTED_OPTIONS, type Document, KINDS, type Kind, SUPPORT, type Support } from "../ir/document.ts";
import { readHeading, readProperties, type Tags } from "./interface.ts";
import { type Comment, tagNamed, tagText } from "./jsdoc.ts";
import { type Context, readOption } from "./option.ts";
import type { Report } from "./problem.ts";

/** Tags of an interface, by kind. */
const TAGS: Record<Kind, Tags> = {
  inventory: { required: ["kind", "name", "since"], optional: ["constructed"] },
  vars: { required: ["kind", "name", "since"], optional: ["staging"] },
  connection: { required: ["kind", "name", "since"], optional: [] },
  module: { required: ["kind", "name", "since", "check_mode", "diff_mode"], optional: ["creation"] },
  action: { required: ["kind", "name", "since", "check_mode", "diff_mode"], optional: [] },
  variables: { required: ["kind", "since"], optional: ["derived"] },
};

const ALL_TAGS = Object.values(TAGS).flatMap(({ required, optional }) => [...required, ...optional]);

export function readDocument(declaration: InterfaceDeclaration, context: Context): Document {
  const { report } = context;
  const known = readKind(declaration, report);
  // The rules of an unknown kind are unknown, so one message is enough.
  const kind = known ?? "inventory";
  const tags = known ? TAGS[known] : { required: [], optional: ALL_TAGS };
  const { comment, name, since, short, description } = readHeading(declaration, tags, report);
  const constructed = readFlag(comment, "constructed", report);
  return {
    kind,
    name: name ?? variablesName(declaration),
    source: declaration.getSourceFile().getBaseName(),
    since,
    short,
    description,
    constructed,
    staging: readFlag(comment, "staging", report),
    derived: readFlag(comment, "derived", report),
    creation: readFlag(comment, "creation", report),
    check_mode: readSupport(comment, "check_mode", report),
    diff_mode: readSupport(comment, "diff_mode", report),
    options: readProperties(
      declaration,
      (property) => {
        if (constructed && (CONSTRUCTED_OPTIONS as readonly string[]).includes(property.getName()))
          report(property.getNameNode(), `${property.getName()} is an option that Ansible itself adds.`);
        return readOption(property, kind, since, context);
      },
      report,
    ),
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
  if (!kind && tag) report(tag, `@kind must be one of: ${[...KINDS, "state"].join(", ")}.`);
  return kind ?? null;
}

/** Ansible has no name for a group of variables, so the interface gives one. */
const variablesName = (declaration: InterfaceDeclaration): string =>
  declaration
    .getName()
    .replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`)
    .toLowerCase();

function readFlag(comment: Comment, name: string, report: Report): boolean {
  const tag = tagNamed(comment, name);
  if (tag && tag.text !== "") report(tag.node, `@${name} takes no text.`);
  return tag !== undefined;
}

function readSupport(comment: Comment, name: string, report: Report): Support | null {
  const support = SUPPORT.find((candidate) => candidate === tagText(comment, name));
  const tag = tagNamed(comment, name);
  if (tag && !support) report(tag.node, `@${name} must be one of: ${SUPPORT.join(", ")}.`);
  return support ?? null;
}

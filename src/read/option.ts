// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A property of an interface to an option.

import { type InterfaceDeclaration, Node, type PropertySignature, type TypeNode } from "ts-morph";
import { completeOption, type Kind, type Option, type Type, type Value } from "../ir/document.ts";
import { readProperties } from "./interface.ts";
import { type Comment, readComment, readInteger, readVersion, type Tag, tagNamed } from "./jsdoc.ts";
import type { Report } from "./problem.ts";
import { sentences } from "./sentence.ts";
import { type Aliases, readType } from "./type.ts";
import { type Constants, isPattern, parseValue } from "./value.ts";

/** Inputs of reading beside the declaration. */
export interface Context {
  readonly aliases: Aliases;
  readonly constants: Constants;
  /** Interfaces of the elements of lists. */
  readonly parts: ReadonlyMap<string, InterfaceDeclaration>;
  readonly report: Report;
}

const TAGS = ["default", "example", "minimum", "maximum", "since"];
const VARIABLE_TAGS = [...TAGS, "option"];
const SOURCE_TAGS = ["env", "ini", "var"];

export function readOption(property: PropertySignature, kind: Kind, since: string, context: Context): Option {
  const { report } = context;
  const name = property.getName();
  // Only plugins read options from the environment and from ansible.cfg.
  const allowed = ["inventory", "vars", "connection"].includes(kind)
    ? [...TAGS, ...SOURCE_TAGS]
    : kind === "variables"
      ? VARIABLE_TAGS
      : TAGS;
  const comment = readComment(property, name, allowed, SOURCE_TAGS, report);
  const typeNode = property.getTypeNode();
  if (!typeNode) report(property.getNameNode(), `${name} has no type.`);
  const part = elementPart(typeNode, context);
  const type: Type = part
    ? { type: "list", elements: "dict", choices: [] }
    : typeNode
      ? readType(typeNode, context.aliases, report)
      : { type: "str", elements: null, choices: [] };
  const required = !property.hasQuestionToken();
  const defaultTag = tagNamed(comment, "default");
  if (required && defaultTag) report(defaultTag.node, `${name} is required, so it cannot have a default.`);
  const [minimum, maximum] = (["minimum", "maximum"] as const).map((tag) => {
    const limit = tagNamed(comment, tag);
    if (limit && type.type !== "int") report(limit.node, `@${tag} is allowed for whole numbers only.`);
    return readInteger(limit, report);
  }) as [number | null, number | null];
  const defaultValue = readValue(defaultTag, type, context);
  if (defaultTag && minimum !== null && typeof defaultValue === "number" && defaultValue < minimum) {
    report(defaultTag.node, `${defaultValue} is below the minimum, ${minimum}.`);
  }
  if (defaultTag && maximum !== null && typeof defaultValue === "number" && defaultValue > maximum) {
    report(defaultTag.node, `${defaultValue} is above the maximum, ${maximum}.`);
  }
  const { pattern, form } = readPattern(typeNode, context);
  if (defaultTag && pattern !== null && !new RegExp(pattern).test(String(defaultValue)))
    report(defaultTag.node, `${defaultValue} is not ${form}.`);
  return completeOption({
    ...type,
    name,
    description: comment.paragraphs.flatMap(sentences),
    // An element has the tags of a module's options.
    options: part ? readProperties(part, (one) => readOption(one, "module", since, context), report) : [],
    required,
    default: defaultValue,
    minimum,
    maximum,
    pattern,
    form,
    example: readValue(tagNamed(comment, "example"), type, context),
    option: readOptionName(tagNamed(comment, "option"), report),
    ...readSources(comment, report),
    since: readVersion(tagNamed(comment, "since"), report) ?? since,
  });
}

/** The pattern of an alias of a string, with the alias' first sentence as its meaning. */
function readPattern(node: TypeNode | undefined, { aliases, report }: Context): Pick<Option, "pattern" | "form"> {
  const alias = node && aliases.get(node.getText());
  const doc = alias?.getJsDocs().at(-1);
  const tag = doc?.getTags().find((one) => one.getTagName() === "pattern");
  const pattern = tag?.getCommentText()?.trim();
  if (!alias || !doc || !tag || pattern === undefined) return { pattern: null, form: null };
  if (!isPattern(pattern)) {
    report(tag, `@pattern: ${pattern} is not a valid regular expression.`);
    return { pattern: null, form: null };
  }
  const sentence = sentences(doc.getDescription().replace(/\s+/g, " ").trim())[0] ?? "";
  return { pattern, form: sentence.replace(/^[A-Z]/, (letter) => letter.toLowerCase()).replace(/\.$/, "") };
}

/** The interface of the elements of a list of mappings, or undefined for another type. */
function elementPart(node: TypeNode | undefined, { parts }: Context): InterfaceDeclaration | undefined {
  const element = Node.isArrayTypeNode(node) ? node.getElementTypeNode() : undefined;
  return element && parts.get(element.getText());
}

function readValue(tag: Tag | undefined, type: Type, { constants, report }: Context): Value {
  if (!tag) return null;
  const parsed = parseValue(tag.text, type, constants);
  if ("value" in parsed) return parsed.value;
  report(tag.node, `@${tag.name}: ${parsed.problem}`);
  return null;
}

function readOptionName(tag: Tag | undefined, report: Report): string | null {
  if (tag && !/^[a-z][a-z0-9_]*$/.test(tag.text))
    report(tag.node, "@option must be the name of an option: a-z, 0-9 and _.");
  return tag?.text ?? null;
}

function readSources(comment: Comment, report: Report): Pick<Option, "env" | "ini" | "vars"> {
  const texts = (name: string, pattern: RegExp, want: string): string[] =>
    comment.tags
      .filter((tag) => tag.name === name)
      .map((tag) => {
        if (!pattern.test(tag.text)) report(tag.node, `@${name} must be ${want}.`);
        return tag.text;
      });
  return {
    env: texts("env", /^[A-Z][A-Z0-9_]*$/, "the name of an environment variable"),
    ini: texts("ini", /^\S+ \S+$/, "a section of ansible.cfg and a key in it").map((text) => {
      const [section = "", key = ""] = text.split(" ");
      return { section, key };
    }),
    vars: texts("var", /^[a-z][a-z0-9_]*$/, "the name of a variable"),
  };
}

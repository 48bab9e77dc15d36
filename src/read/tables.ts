// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The model's tables: rows of literals to rows of the IR.

import type { Node, VariableDeclaration } from "ts-morph";
import type {
  BootstrapTool,
  Collection,
  Distribution,
  ExitStatus,
  IgnoredPath,
  Kept,
  Name,
  NspawnFlag,
  Playbook,
  Pocket,
  ScopeProperty,
  Table,
} from "../ir/tables.ts";
import { type Fields, fieldsOf } from "./fields.ts";
import { readComment, tagNamed } from "./jsdoc.ts";
import { type Literal, readLiteral } from "./literal.ts";
import type { Report } from "./problem.ts";
import { sentences } from "./sentence.ts";

/** Constants that the model must have. */
export const TABLES = [
  "collection",
  "layout",
  "nspawnFlags",
  "scopeProperties",
  "exitStatuses",
  "bootstrapTools",
  "basePackages",
  "distributions",
  "pockets",
  "keptVariables",
  "keptCapabilities",
  "playbooks",
  "ignoredPaths",
  "program",
] as const;
export type Tables = Readonly<Record<(typeof TABLES)[number], VariableDeclaration>>;

export function readFlags(declaration: VariableDeclaration, report: Report): Table<NspawnFlag> {
  return readRows(declaration, "A flag", report, (fields) => ({
    flag: fields.text("flag"),
    why: fields.sentence("why"),
    systemd: fields.integer("systemd"),
    environment: fields.flag("environment"),
    staged: fields.flag("staged"),
    variable: fields.optionalText("variable"),
    needs: fields.optionalText("needs"),
    when: fields.optionalScalar("when"),
    pattern: fields.optionalText("pattern"),
    source: fields.optionalText("source"),
  }));
}

export function readScopeProperties(declaration: VariableDeclaration, report: Report): Table<ScopeProperty> {
  return readRows(declaration, "A property", report, (fields) => ({
    property: fields.text("property"),
    value: fields.text("value"),
    why: fields.sentence("why"),
  }));
}

export function readExitStatuses(declaration: VariableDeclaration, report: Report): Table<ExitStatus> {
  return readRows(declaration, "An exit status", report, (fields) => ({
    name: fields.text("name"),
    status: fields.integer("status"),
    when: fields.sentence("when"),
  }));
}

export function readTools(declaration: VariableDeclaration, report: Report): Table<BootstrapTool> {
  return readRows(declaration, "A bootstrap tool", report, (fields) => ({
    name: fields.text("name"),
    why: fields.sentence("why"),
    program: fields.text("program"),
    package: fields.text("package"),
    under: fields.optionalText("under"),
    arguments: fields.texts("arguments"),
    suite_files: fields.optionalTexts("suite_files"),
    upgrade: fields.flag("upgrade"),
    config_variable: fields.optionalText("config_variable"),
    config_lines: fields.optionalTexts("config_lines"),
    leftovers: fields.optionalTexts("leftovers"),
  }));
}

export function readDistributions(declaration: VariableDeclaration, report: Report): Table<Distribution> {
  return readRows(declaration, "A distribution", report, (fields) => ({
    name: fields.text("name"),
    origin: fields.text("origin"),
    suites: fields.text("suites"),
    architectures: fields.text("architectures"),
    mirror: fields.text("mirror"),
    keyring: fields.text("keyring"),
    package: fields.text("package"),
    components: fields.texts("components"),
  }));
}

export function readPockets(declaration: VariableDeclaration, report: Report): Table<Pocket> {
  return readRows(declaration, "A pocket", report, (fields) => ({
    name: fields.text("name"),
    distribution: fields.text("distribution"),
    suites: fields.text("suites"),
    suite: fields.text("suite"),
    beside: fields.text("beside"),
    mirror: fields.optionalText("mirror"),
  }));
}

export function readKept(declaration: VariableDeclaration, report: Report): Table<Kept> {
  return readRows(declaration, "A row of kept names", report, (fields) => ({
    names: fields.texts("names"),
    why: fields.sentence("why"),
  }));
}

export function readPlaybooks(declaration: VariableDeclaration, report: Report): Table<Playbook> {
  return readRows(declaration, "A playbook", report, (fields) => ({
    name: fields.text("name"),
    does: fields.sentence("does"),
    hosts: fields.text("hosts"),
    example: fields.text("example"),
    variables: fields.optionalTexts("variables"),
  }));
}

export function readIgnoredPaths(declaration: VariableDeclaration, report: Report): Table<IgnoredPath> {
  return readRows(declaration, "An ignored path", report, (fields) => ({
    path: fields.text("path"),
    why: fields.sentence("why"),
    anywhere: fields.flag("anywhere"),
    files: fields.flag("files"),
  }));
}

export function readTexts(declaration: VariableDeclaration, report: Report): Table<string> {
  const literal = literalOf(declaration, report);
  if (literal?.kind !== "list") report(declaration, `${declaration.getName()} must be a list of strings.`);
  const items = literal?.kind === "list" ? literal.items : [];
  const rows = items.map((item) => {
    if (item.kind === "scalar" && typeof item.value === "string" && item.value !== "") return item.value;
    report(item.node, `Each item of ${declaration.getName()} must be a string that is not empty.`);
    return "";
  });
  return { source: sourceOf(declaration), rows };
}

export function readCollection(
  declaration: VariableDeclaration,
  version: string,
  report: Report,
): Collection & { readonly source: string } {
  const fields = fieldsOf(literalOf(declaration, report) ?? emptyRecord(declaration), "The collection", report);
  const collection = {
    namespace: fields.text("namespace"),
    name: fields.text("name"),
    version,
    description: fields.sentence("description"),
    authors: fields.texts("authors"),
    license: fields.texts("license"),
    readme: fields.text("readme"),
    tags: fields.texts("tags"),
    repository: fields.text("repository"),
    build_ignore: fields.texts("build_ignore"),
    requires_ansible: fields.text("requires_ansible"),
    source: sourceOf(declaration),
  };
  fields.done();
  // Galaxy's rules, see `ansible-galaxy collection publish`.
  for (const name of ["namespace", "name"] as const) {
    if (!/^(?!.*__)[a-z][0-9a-z_]*$/.test(collection[name]))
      report(fields.at(name), `${name} may contain only a-z, 0-9 and _.`);
  }
  for (const tag of collection.tags) {
    if (!/^[a-z][0-9a-z_]*$/.test(tag)) report(fields.at("tags"), `The tag ${tag} may contain only a-z, 0-9 and _.`);
  }
  return collection;
}

export function readLayout(declaration: VariableDeclaration, report: Report): Table<Name> {
  const literal = literalOf(declaration, report);
  if (literal?.kind !== "record") report(declaration, "The layout must be an object of strings.");
  const entries = literal?.kind === "record" ? [...literal.entries] : [];
  const rows = entries.map(([name, { property, literal: value }]) => {
    const comment = readComment(property, name, ["sh"], [], report);
    if (value.kind !== "scalar" || typeof value.value !== "string") report(value.node, `${name} must be a string.`);
    return {
      name,
      value: value.kind === "scalar" ? String(value.value) : "",
      description: comment.paragraphs.flatMap(sentences),
      sh: tagNamed(comment, "sh") !== undefined,
    };
  });
  return { source: sourceOf(declaration), rows };
}

function readRows<Row>(
  declaration: VariableDeclaration,
  subject: string,
  report: Report,
  read: (fields: Fields) => Row,
): Table<Row> {
  const literal = literalOf(declaration, report);
  if (literal && literal.kind !== "list") report(declaration, `${declaration.getName()} must be a list.`);
  const items = literal?.kind === "list" ? literal.items : [];
  const rows = items.map((item) => {
    const fields = fieldsOf(item, subject, report);
    const row = read(fields);
    fields.done();
    return row;
  });
  return { source: sourceOf(declaration), rows };
}

function literalOf(declaration: VariableDeclaration, report: Report): Literal | null {
  const initializer = declaration.getInitializer();
  if (initializer) return readLiteral(initializer, report);
  report(declaration, `${declaration.getName()} has no value.`);
  return null;
}

const emptyRecord = (node: Node): Literal => ({ kind: "record", entries: new Map(), node });

const sourceOf = (declaration: VariableDeclaration): string => declaration.getSourceFile().getBaseName();

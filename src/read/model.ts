// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The model's files to the IR.

import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Project, type SourceFile, SyntaxKind } from "ts-morph";
import type { Document } from "../ir/document.ts";
import { arrange, type Spec } from "../ir/spec.ts";
import { checkDocuments, checkTables } from "./check.ts";
import { isDocument, readDocument } from "./document.ts";
import { VERSION } from "./jsdoc.ts";
import { byPosition, type Problem, problemAt, problemList, type Report, SpecError } from "./problem.ts";
import { readProgram } from "./program.ts";
import { isState, partsOf, readState } from "./state.ts";
import {
  readCollection,
  readDistributions,
  readExitStatuses,
  readFlags,
  readIgnoredPaths,
  readKept,
  readLayout,
  readPlaybooks,
  readPockets,
  readScopeProperties,
  readTexts,
  readTools,
  TABLES,
  type Tables,
} from "./tables.ts";
import type { Aliases } from "./type.ts";

const MODEL = "src/model";

/** Reads the model of a checkout: `src/model` and the version in package.json. Throws a SpecError with all mistakes. */
export function readModel(root: string): Spec {
  const { found, report } = problemList(root);
  // A mistake in one step makes the messages of the next step worthless, so reading may stop after each.
  const stop = () => {
    if (found.length > 0) throw new SpecError([...found].sort(byPosition));
  };
  const version = readVersion(root, found);
  const files = sourceFiles(join(root, MODEL));
  found.push(...files.flatMap((file) => syntaxProblems(file, root)));
  stop();
  const tables = findTables(files, found);
  const interfaces = modelInterfaces(files, report);
  stop();
  const layout = readLayout(tables.layout, report);
  const constants = new Map(layout.rows.map(({ name, value }) => [`layout.${name}`, value]));
  const context = { aliases: typeAliases(files), constants, parts: interfaces.parts, report };
  const read = interfaces.documents.map((declaration) => ({
    declaration,
    document: readDocument(declaration, context),
  }));
  const spec: Spec = {
    collection: readCollection(tables.collection, version, report),
    layout,
    documents: withCreationOptions(
      read.map(({ document }) => document),
      constants.get("layout.variable_prefix") ?? "",
    ),
    states: interfaces.states.map((declaration) => readState(declaration, interfaces.parts, context)),
    nspawn_flags: readFlags(tables.nspawnFlags, report),
    scope_properties: readScopeProperties(tables.scopeProperties, report),
    exit_statuses: readExitStatuses(tables.exitStatuses, report),
    bootstrap_tools: readTools(tables.bootstrapTools, report),
    base_packages: readTexts(tables.basePackages, report),
    distributions: readDistributions(tables.distributions, report),
    pockets: readPockets(tables.pockets, report),
    kept_variables: readKept(tables.keptVariables, report),
    kept_capabilities: readKept(tables.keptCapabilities, report),
    playbooks: readPlaybooks(tables.playbooks, report),
    ignored_paths: readIgnoredPaths(tables.ignoredPaths, report),
    program: readProgram(tables.program, constants, report),
  };
  checkDocuments(read, layout, report);
  stop();
  checkTables(spec, tables, report);
  stop();
  return arrange(spec);
}

/** Gives a module with `@creation` the options that variables name by `@option`, so that each is declared once. */
function withCreationOptions(documents: readonly Document[], prefix: string): readonly Document[] {
  const variables = documents.flatMap(({ kind, options }) => (kind === "variables" ? options : []));
  const names = new Map(variables.flatMap(({ name, option }) => (option === null ? [] : [[name, option] as const])));
  // The module has a name of its own for each variable, and for the value that a variable's template contains.
  const sentence = (text: string): string =>
    text
      .replace(/`(\w+)`/g, (_code, name) => `\`${names.get(name) ?? name}\``)
      .replace(/`\{\{ (\w+) \}\}`/g, (_code, name: string) => `\`{${name.replace(prefix, "")}}\``);
  const options = variables.flatMap((variable) => {
    const name = names.get(variable.name);
    const description = variable.description.map(sentence);
    const options = variable.options.map((one) => ({ ...one, description: one.description.map(sentence) }));
    return name === undefined ? [] : [{ ...variable, name, description, options, option: null, example: null }];
  });
  return documents.map((document) =>
    document.creation ? { ...document, options: [...document.options, ...options] } : document,
  );
}

function readVersion(root: string, found: Problem[]): string {
  const path = join(root, "package.json");
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const version = versionIn(text);
  if (version !== null) return version;
  found.push(problemAt("package.json", text, 0, 0, '"version" must be a version such as "1.0.0".'));
  return "0.0.0";
}

function versionIn(text: string): string | null {
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === "string" && VERSION.test(version) ? version : null;
  } catch {
    return null;
  }
}

function sourceFiles(directory: string): readonly SourceFile[] {
  // Only syntax is read: TypeScript's own library would take most of the time.
  const project = new Project({
    skipAddingFilesFromTsConfig: true,
    skipFileDependencyResolution: true,
    skipLoadingLibFiles: true,
    compilerOptions: { noLib: true },
  });
  const files = project.addSourceFilesAtPaths(join(directory, "**/*.ts"));
  return [...files].sort((a, b) => (a.getFilePath() < b.getFilePath() ? -1 : 1));
}

function syntaxProblems(file: SourceFile, root: string): readonly Problem[] {
  const name = relative(root, file.getFilePath());
  const diagnostics = file.getProject().getProgram().getSyntacticDiagnostics(file);
  return diagnostics.map((diagnostic) => {
    const start = diagnostic.getStart();
    const message = diagnostic.getMessageText();
    const text = typeof message === "string" ? message : message.getMessageText();
    return problemAt(name, file.getFullText(), start, start + diagnostic.getLength(), text);
  });
}

function findTables(files: readonly SourceFile[], found: Problem[]): Tables {
  const constants = files.flatMap((file) => file.getVariableDeclarations());
  const entries = TABLES.map((name) => [name, constants.find((constant) => constant.getName() === name)] as const);
  for (const [name, declaration] of entries) {
    if (!declaration) found.push(problemAt(MODEL, "", 0, 0, `No file of the model declares the constant ${name}.`));
  }
  // readModel() stops when one is missing.
  return Object.fromEntries(entries) as Tables;
}

/** Interfaces that describe content of the collection, and states with their parts: all but the types of the tables' rows. */
function modelInterfaces(files: readonly SourceFile[], report: Report) {
  const rowTypes = files
    .flatMap((file) => file.getVariableDeclarations())
    .flatMap((constant) => constant.getTypeNode() ?? [])
    .flatMap((type) => [type, ...type.getDescendantsOfKind(SyntaxKind.TypeReference)])
    .map((type) => type.getText());
  const all = files.flatMap((file) => file.getInterfaces());
  const byName = new Map(all.map((one) => [one.getName(), one]));
  const rows = all.filter((one) => rowTypes.includes(one.getName()));
  const ofTables = new Set([...rows, ...rows.flatMap((one) => partsOf(one, byName))]);
  const interfaces = all.filter((one) => !ofTables.has(one));
  const states = interfaces.filter(isState);
  const others = interfaces.filter((one) => !isState(one) && !isDocument(one));
  const parts = new Map(others.map((one) => [one.getName(), one]));
  const documents = interfaces.filter((one) => isDocument(one) && !isState(one));
  const used = new Set([...states, ...documents].flatMap((one) => partsOf(one, parts)));
  for (const one of others) {
    if (!used.has(one))
      report(one.getNameNode(), `${one.getName()} has no @kind, and no table, no option and no state uses it.`);
  }
  return { documents, states, parts };
}

const typeAliases = (files: readonly SourceFile[]): Aliases =>
  new Map(files.flatMap((file) => file.getTypeAliases()).map((alias) => [alias.getName(), alias]));

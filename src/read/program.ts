// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The model's program: an object of literals to the IR.

import type { VariableDeclaration } from "ts-morph";
import {
  COMPLETIONS,
  COUNTS,
  type Completion,
  OPTION_TYPES,
  type Program,
  type ProgramArgument,
  type ProgramOption,
  type ProgramStatus,
  type Verb,
} from "../ir/program.ts";
import { type Fields, fieldsOf } from "./fields.ts";
import { type Literal, readLiteral } from "./literal.ts";
import type { Report } from "./problem.ts";
import type { Constants } from "./value.ts";

/** argparse adds these to the program and to each verb. */
const HELP = ["-h", "--help"];
const FLAG = /^(-[a-zA-Z]|--[a-z][a-z0-9]*(-[a-z0-9]+)*)$/;
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const METAVAR = /^[A-Z][A-Z0-9_]*$/;

/** Reads the program. `constants`: values that a default may name, as `{layout.root}`. */
export function readProgram(declaration: VariableDeclaration, constants: Constants, report: Report): Program {
  const initializer = declaration.getInitializer();
  const literal: Literal = initializer
    ? readLiteral(initializer, report)
    : { kind: "record", entries: new Map(), node: declaration };
  return readRecord(literal, "The program", report, (fields) => {
    const options = fields.list("options").map((item) => readOption(item, constants, report));
    refuseTwins(fields, "options", [...HELP, ...options.flatMap(({ flags }) => flags)], report);
    const program: Program = {
      name: named(fields, "name", NAME, report),
      source: declaration.getSourceFile().getBaseName(),
      description: fields.sentence("description"),
      options,
      verbs: fields.list("verbs").map((item) => readVerb(item, options, constants, report)),
      exit_statuses: fields.list("exit_statuses").map((item) => readStatus(item, report)),
    };
    refuseTwins(
      fields,
      "verbs",
      program.verbs.map(({ name }) => name),
      report,
    );
    const statuses = program.exit_statuses.flatMap(({ name, status }) => [name, `${status}`]);
    refuseTwins(fields, "exit_statuses", statuses, report);
    return program;
  });
}

function readVerb(item: Literal, general: readonly ProgramOption[], constants: Constants, report: Report): Verb {
  return readRecord(item, "A verb", report, (fields) => {
    const args = fields.list("arguments").map((one) => readArgument(one, report));
    // After an argument of unknown length, argparse cannot tell which word is meant.
    const open = args.findIndex(({ nargs }) => nargs !== null && nargs !== "?");
    if (open >= 0 && open < args.length - 1)
      report(fields.at("arguments"), `${args[open]?.name} takes any number of words, so it must be the last argument.`);
    const options = fields.list("options").map((one) => readOption(one, constants, report));
    const flags = [...general, ...options].flatMap((option) => option.flags);
    refuseTwins(fields, "options", [...HELP, ...flags], report);
    const names = [...args.map(({ name }) => name.toLowerCase()), ...options.map(({ name }) => name)];
    refuseTwins(fields, "arguments", names, report);
    return {
      name: named(fields, "name", NAME, report),
      summary: fields.sentence("summary"),
      description: fields.sentences("description"),
      arguments: args,
      options,
      examples: fields.optionalTexts("examples"),
    };
  });
}

const readArgument = (item: Literal, report: Report): ProgramArgument =>
  readRecord(item, "An argument", report, (fields) => ({
    name: named(fields, "name", METAVAR, report),
    help: fields.sentence("help"),
    nargs: oneOf(fields, "nargs", COUNTS, report),
    completes: readCompletion(fields, report),
  }));

function readOption(item: Literal, constants: Constants, report: Report): ProgramOption {
  return readRecord(item, "An option", report, (fields) => {
    const flags = fields.texts("flags");
    for (const flag of flags) {
      if (!FLAG.test(flag)) report(fields.at("flags"), `${flag} must have the form -f or --flag.`);
    }
    const long = flags.find((flag) => flag.startsWith("--"));
    if (long === undefined) report(fields.at("flags"), "An option must have a long flag.");
    fields.text("type");
    const type = oneOf(fields, "type", OPTION_TYPES, report) ?? "string";
    const metavar = fields.optionalText("metavar");
    if ((metavar === null) !== (type === "flag"))
      report(fields.at("metavar"), "metavar is needed, except for a flag, which has no value.");
    if (metavar !== null && !METAVAR.test(metavar)) report(fields.at("metavar"), `${metavar} must be in capitals.`);
    const choices = fields.optionalTexts("choices");
    const value = readDefault(fields, constants, report);
    const wanted = type === "integer" ? "number" : "string";
    if (value !== null && (type === "flag" || type === "list" || typeof value !== wanted))
      report(fields.at("default"), `An option of type ${type} cannot have the default ${value}.`);
    if (value !== null && choices.length > 0 && !choices.includes(String(value)))
      report(fields.at("default"), `${value} is not one of: ${choices.join(", ")}.`);
    return {
      flags,
      name: (long ?? "--").slice(2).replaceAll("-", "_"),
      metavar,
      type,
      default: type === "flag" ? false : type === "list" ? [] : value,
      env: fields.optionalText("env"),
      choices: choices.length > 0 ? choices : null,
      completes: readCompletion(fields, report),
      help: fields.sentence("help"),
    };
  });
}

function readDefault(fields: Fields, constants: Constants, report: Report): string | number | boolean | null {
  const value = fields.optionalValue("default");
  const constant = typeof value === "string" ? value.match(/^\{(\w+\.\w+)\}$/)?.[1] : undefined;
  if (constant === undefined) return value;
  const found = constants.get(constant);
  if (found === undefined) report(fields.at("default"), `The model has no ${constant}.`);
  return found ?? null;
}

const readStatus = (item: Literal, report: Report): ProgramStatus =>
  readRecord(item, "An exit status", report, (fields) => {
    const status = { name: fields.text("name"), status: fields.integer("status"), when: fields.sentence("when") };
    // From 126 on, a status is one of a shell or of a signal.
    if (status.status < 0 || status.status > 125)
      report(fields.at("status"), `${status.status} is not an exit status from 0 to 125.`);
    if (!/^[a-z][a-z0-9_]*$/.test(status.name))
      report(fields.at("name"), `${status.name} may contain only a-z, 0-9 and _.`);
    return status;
  });

const readCompletion = (fields: Fields, report: Report): Completion | null =>
  oneOf(fields, "completes", COMPLETIONS, report);

function readRecord<Result>(item: Literal, subject: string, report: Report, read: (fields: Fields) => Result): Result {
  const fields = fieldsOf(item, subject, report);
  const result = read(fields);
  fields.done();
  return result;
}

function named(fields: Fields, field: string, pattern: RegExp, report: Report): string {
  const text = fields.text(field);
  if (text !== "" && !pattern.test(text)) report(fields.at(field), `${text} does not match ${pattern.source}.`);
  return text;
}

function oneOf<Choice extends string>(
  fields: Fields,
  field: string,
  choices: readonly Choice[],
  report: Report,
): Choice | null {
  const text = fields.optionalText(field);
  const found = choices.find((choice) => choice === text);
  if (text !== null && !found) report(fields.at(field), `${field} must be one of: ${choices.join(", ")}.`);
  return found ?? null;
}

function refuseTwins(fields: Fields, field: string, names: readonly string[], report: Report): void {
  for (const twin of new Set(names.filter((name, n) => names.indexOf(name) < n)))
    report(fields.at(field), `${twin} is given twice.`);
}

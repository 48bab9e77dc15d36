// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The reference page of the program.

import type { Program, ProgramArgument, ProgramOption, Verb } from "../../ir/program.ts";
import type { Spec } from "../../ir/spec.ts";
import { htmlHeader } from "../header.ts";
import { mdBlock, mdCode, mdTable, mdText } from "../literal/markdown.ts";

export const programPageName = ({ name }: Program): string => `program-${name}.md`;

export function programPage({ program }: Spec): string {
  const { name, description, options, verbs, exit_statuses, source } = program;
  return [
    htmlHeader([source]),
    `# ${name}\n`,
    `${mdText(description)}\n`,
    mdBlock("console", `# ${name} [OPTION...] VERB ...`),
    mdTable(
      ["Verb", "Does"],
      verbs.map((verb) => [`[${mdCode(verb.name)}](#${verb.name})`, mdText(verb.summary)]),
    ),
    "## Options before the verb\n",
    optionTable(options),
    "## Verbs\n",
    ...verbs.map((verb) => verbSection(name, verb)),
    "## Exit statuses\n",
    "A command, a shell or a script gives its own exit status. The program itself ends with one of these.\n",
    mdTable(
      ["Status", "When"],
      exit_statuses.map(({ status, when }) => [`${status}`, mdText(when)]),
    ),
    "The verbs that GitLab Runner calls end with the status that it names in `BUILD_FAILURE_EXIT_CODE` for a failure of the job, and in",
    "`SYSTEM_FAILURE_EXIT_CODE` for a failure that is not the job's.\n",
  ].join("\n");
}

function verbSection(program: string, verb: Verb): string {
  const { name, summary, description, options, examples } = verb;
  return [
    `### ${name}\n`,
    mdBlock("console", `# ${program} ${usage(verb)}`),
    `${[summary, ...description].map(mdText).join(" ")}\n`,
    ...(verb.arguments.length > 0 ? [argumentTable(verb.arguments)] : []),
    ...(options.length > 0 ? [optionTable(options)] : []),
    ...(examples.length > 0 ? [mdBlock("console", examples.map((example) => `# ${example}`).join("\n"))] : []),
  ].join("\n");
}

/** The verb with its options and arguments, as one line. */
function usage({ name, options, arguments: args }: Verb): string {
  const given = options.map(
    (option) =>
      `[${option.flags[0]}${option.metavar === null ? "" : ` ${option.metavar}`}]${option.type === "list" ? "..." : ""}`,
  );
  return [name, ...given, ...args.map(argumentText)].join(" ");
}

function argumentText({ name, nargs }: ProgramArgument): string {
  if (nargs === null) return name;
  return nargs === "?" ? `[${name}]` : nargs === "*" ? `[${name}...]` : `${name}...`;
}

const argumentTable = (args: readonly ProgramArgument[]): string =>
  mdTable(
    ["Argument", "Description"],
    args.map((argument) => [mdCode(argumentText(argument)), mdText(argument.help)]),
  );

const optionTable = (options: readonly ProgramOption[]): string =>
  mdTable(
    ["Option", "Description"],
    options.map((option) => [
      option.flags.map((flag) => mdCode(option.metavar === null ? flag : `${flag} ${option.metavar}`)).join(", "),
      [mdText(option.help), ...optionFacts(option)].join(" "),
    ]),
  );

const optionFacts = ({ type, choices, default: value, env }: ProgramOption): readonly string[] => [
  ...(choices === null ? [] : [`One of ${choices.map(mdCode).join(", ")}.`]),
  ...(type === "list" ? ["Can be given more than once."] : []),
  ...(env === null ? [] : [`Environment: ${mdCode(env)}.`]),
  ...(typeof value === "string" || typeof value === "number" ? [`Default: ${mdCode(String(value))}.`] : []),
];

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/program.py`: the command line of the program, for argparse.

import type { ProgramOption, Verb } from "../ir/program.ts";
import type { Spec } from "../ir/spec.ts";
import { assignment, type Python } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function programFile({ program }: Spec): string {
  const { name, description, options, verbs, exit_statuses, source } = program;
  const value = { name, description, options: options.map(optionValue), verbs: verbs.map(verbValue) };
  const statuses = exit_statuses.map(
    ({ name: status, status: number, when }) =>
      `# ${when}\n${assignment(`EXIT_${status.toUpperCase()}`, "int", number)}`,
  );
  return pythonModule(
    [source],
    `The command line of the program ${name}.`,
    [
      '# Options before the verb, and the verbs. `nargs` is argparse\'s; "..." takes all words that follow. An option is absent where neither the command\n# line nor the variable `env` of the environment sets it: then `default` holds.\n',
      assignment("PROGRAM", "dict[str, Any]", value),
      "\n# Exit statuses of the program itself.\n\n",
      statuses.join("\n"),
    ].join(""),
  );
}

const optionValue = ({ flags, name, metavar, type, default: value, env, choices, help }: ProgramOption): Python => ({
  flags,
  name,
  metavar,
  type,
  default: value,
  env,
  choices,
  help,
});

const verbValue = ({ name, summary, description, arguments: args, options, examples }: Verb): Python => ({
  name,
  summary,
  description: [summary, ...description].join(" "),
  arguments: args.map(({ name: argument, help, nargs }) => ({
    name: argument.toLowerCase(),
    metavar: argument,
    help,
    nargs,
  })),
  options: options.map(optionValue),
  examples,
});

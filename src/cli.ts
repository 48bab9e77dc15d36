#!/usr/bin/env -S npx tsx

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The development commands. Only this file prints and sets the exit code: 0 success, 1 a finding or a failed check, 2 wrong use or environment.

import { existsSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { SpecError } from "./read/problem.ts";
import { suites } from "./tool/mmdebstrap.ts";
import type { Print } from "./tool/print.ts";
import { ToolError } from "./tool/run.ts";

type Run<Options> = (print: Print, options: Options, args: readonly string[]) => Promise<number>;

const program = new Command("nspawn-runner")
  .description("Development commands of the Ansible collection nspawn.runner.")
  .enablePositionalOptions()
  .exitOverride();

// One call for each verb. The code of a verb is loaded when the user types the verb.
verb(
  "generate",
  "write generated/ from src/model",
  async () => (await import("./command/generate.ts")).generate,
).option("--check", "write nothing; show the difference and exit with 1 if there is one");
verb("build", "build the collection and its artifact in dist/", async () => (await import("./command/build.ts")).build);
verb("lint", "run the linters of TypeScript, shell and Python", async () => (await import("./command/lint.ts")).lint);
verb("test", "run the tests", async () => (await import("./command/test.ts")).test)
  .argument(
    "[filters...]",
    "names of projects (unit, case, cli, ansible, nspawn, endurance), parts of test files' paths; in the matrix paths with a slash, names of gates, and versions",
  )
  .option("--coverage", "all usual tests, and which lines of the collection's Python they ran")
  .option("--matrix", "the gates, and real runs with other versions of ansible-core, all from PyPI")
  .addOption(new Option("--lab <suite>", "run them on a booted Debian host in a container").choices(suites));
verb(
  "demo",
  "create two images below build/demo, maintain them and roll one back",
  async () => (await import("./command/demo.ts")).demo,
);
verb(
  "bench",
  "measure the speed of the collection against other tools",
  async () => (await import("./command/bench.ts")).bench,
).argument("[tables...]", "names of tables (inventory, create, maintenance, connection); the default is all");
verb(
  "release",
  "write the changelog, build the artifact, commit and tag the version in package.json",
  async () => (await import("./command/release.ts")).release,
).option("--dry-run", "show the release notes and keep nothing");
const lab = program
  .command("lab")
  .description("boot a Debian host with systemd in a container")
  .enablePositionalOptions();
verb("run", "run a command on such a host", async () => (await import("./command/lab.ts")).lab, lab)
  .addOption(new Option("--suite <suite>", "Debian suite of the host").choices(suites).default("trixie"))
  .argument("<command...>", "program and arguments")
  .passThroughOptions();

function verb<Options extends object>(
  name: string,
  description: string,
  load: () => Promise<Run<Options>>,
  parent: Command = program,
): Command {
  return parent
    .command(name)
    .description(description)
    .action(async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      if (!existsSync("src/model"))
        throw new ToolError("src/model", null, "not found here. Run this command at the top of a checkout.");
      process.exitCode = await (await load())((line) => console.log(line), command.opts<Options>(), command.args);
    });
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = failure(error);
}

/** Prints an error that is meant for the user, and returns its exit code. Any other error is a bug and keeps its stack. */
function failure(error: unknown): number {
  // Commander has already printed the message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof SpecError) {
    console.error(`${error.message}\n\nMistakes in the model: ${error.problems.length}.`);
    return 1;
  }
  if (error instanceof ToolError) {
    console.error(error.message);
    return 2;
  }
  throw error;
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs the gates on the built collection.

import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BUILD, build } from "../artifact/build.ts";
import type { Print } from "../tool/print.ts";
import { virtualEnvironment } from "../tool/python.ts";
import { type RunResult, run, ToolError } from "../tool/run.ts";
import type { Command, CommonPlaces, Gate } from "./gate.ts";
import { gates } from "./gates.ts";

/**
 * Runs the gates, two at a time. Prints a line for each gate, and the findings of a gate that fails.
 *
 * @param filters Parts of gates' names; none means all.
 * @returns Whether each gate passed, by name; null when PyPI cannot be reached.
 */
export async function runGates(filters: readonly string[], print: Print): Promise<ReadonlyMap<string, boolean> | null> {
  const wanted = gates.filter(({ name }) => filters.length === 0 || filters.some((part) => name.includes(part)));
  const programs = await environments(wanted, print);
  if (programs === null) return null;
  const results = new Map<string, boolean>();
  const directory = await mkdtemp("/var/tmp/nspawn-runner-gates-");
  try {
    const places = await prepare(directory, print);
    await eachOfTwo(wanted, async (gate) => {
      const { exitCode, output } = await check(gate, programs.get(gate.name) as string, places);
      results.set(gate.name, exitCode === 0);
      if (exitCode !== 0) print(output);
      print(`${gate.name}: ${exitCode === 0 ? "fine" : "failed"}`);
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return results;
}

/** The directory of each gate's programs, or null. */
async function environments(wanted: readonly Gate[], print: Print): Promise<ReadonlyMap<string, string> | null> {
  const key = ({ requirements }: Gate) => requirements.join(" ");
  const directories = new Map<string, string>();
  try {
    const distinct = [...new Map(wanted.map((gate) => [key(gate), gate])).values()];
    await eachOfTwo(distinct, async (gate) => {
      directories.set(key(gate), await virtualEnvironment(gate.requirements, print));
    });
    return new Map(wanted.map((gate) => [gate.name, directories.get(key(gate)) as string]));
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    print(`The gates were skipped, because PyPI cannot be reached: ${error.message.split("\n").at(-1)}`);
    return null;
  }
}

async function prepare(directory: string, print: Print): Promise<CommonPlaces> {
  if ((await build(print)) !== 0) throw new ToolError("build", 1, "failed, so there is nothing to check.");
  const collections = join(directory, "collections");
  const collection = join(collections, "ansible_collections/nspawn/runner");
  await cp(BUILD, collection, { recursive: true });
  const [artifact] = (await readdir("dist")).filter((name) => name.endsWith(".tar.gz"));
  await cp(join("dist", artifact as string), join(directory, artifact as string));
  return { checkout: resolve("."), collection, collections, artifact: join(directory, artifact as string) };
}

async function check(gate: Gate, programs: string, places: CommonPlaces): Promise<RunResult> {
  const scratch = await mkdtemp(join(places.collections, "../scratch-"));
  const home = join(scratch, "home");
  await mkdir(home);
  const command: Command = ([program, ...args], { cwd, env }) =>
    run(program, args, {
      cwd,
      env: { HOME: home, PATH: `${programs}:${process.env["PATH"]}`, ...env },
      from: `PyPI: ${gate.requirements.join(" ")}`,
      answers: "any",
    });
  try {
    return await gate.check({ ...places, programs, scratch }, command);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { exitCode: 1, output: error.message };
  }
}

async function eachOfTwo<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const one = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift())
      await act(item).catch((error: unknown) => {
        rest.length = 0;
        throw error;
      });
  };
  await Promise.all([one(), one()]);
}

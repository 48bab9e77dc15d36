// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs the gates on the built collection.

import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BUILD, build } from "../artifact/build.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { pythonBinds, pythonOn } from "../lab/python.ts";
import type { Suite } from "../tool/mmdebstrap.ts";
import type { Print } from "../tool/print.ts";
import { type Python, thisPython, virtualEnvironment } from "../tool/python.ts";
import { type RunResult, ToolError } from "../tool/run.ts";
import type { Command, CommonPlaces, Gate, Places } from "./gate.ts";
import { gates } from "./gates.ts";

/** Where a gate's programs are. */
type Environment = Pick<Places, "python" | "programs">;

/**
 * Runs the gates, two at a time. Prints a line for each gate, and the findings of a gate that fails.
 *
 * @param filters Parts of gates' names; none means all.
 * @returns Whether each gate passed, by name; null when PyPI cannot be reached.
 */
export async function runGates(filters: readonly string[], print: Print): Promise<ReadonlyMap<string, boolean> | null> {
  const wanted = gates.filter(({ name }) => filters.length === 0 || filters.some((part) => name.includes(part)));
  const directory = await mkdtemp("/var/tmp/nspawn-runner-gates-");
  const labs = new Map<Suite, Lab>();
  try {
    await startLabs(wanted, directory, labs, print);
    const possible = wanted.filter(({ host }) => host === undefined || labs.has(host));
    const found = await environments(possible, labs, print);
    if (found === null) return null;
    const results = new Map<string, boolean>(wanted.map(({ name }) => [name, false]));
    const places = await prepare(directory, print);
    await eachOfTwo([...found], async ([gate, environment]) => {
      const { exitCode, output } = await check(gate, environment, places);
      results.set(gate.name, exitCode === 0);
      if (exitCode !== 0) print(output);
      print(`${gate.name}: ${exitCode === 0 ? "fine" : "failed"}`);
    });
    return results;
  } finally {
    for (const lab of labs.values()) await lab.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Starts each host that a gate names, and says why when its tree cannot be made.
 *
 * @param directory The gates' files, for the hosts to have too.
 * @param labs Gets the hosts.
 */
async function startLabs(
  wanted: readonly Gate[],
  directory: string,
  labs: Map<Suite, Lab>,
  print: Print,
): Promise<void> {
  const suites = new Set(wanted.flatMap(({ host }) => host ?? []));
  for (const suite of suites) {
    try {
      labs.set(suite, await startLab({ suite, binds: [...(await pythonBinds()), directory] }));
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      print(error.message);
    }
  }
}

/** The environment of each gate, or null. */
async function environments(
  wanted: readonly Gate[],
  labs: ReadonlyMap<Suite, Lab>,
  print: Print,
): Promise<ReadonlyMap<Gate, Environment> | null> {
  const key = ({ host, requirements }: Gate) => [host, ...requirements].join(" ");
  const found = new Map<string, Environment>();
  try {
    const distinct = [...new Map(wanted.map((gate) => [key(gate), gate])).values()];
    await eachOfTwo(distinct, async (gate) => {
      const python: Python = gate.host ? pythonOn(labs.get(gate.host) as Lab) : thisPython;
      found.set(key(gate), { python, programs: await virtualEnvironment(gate.requirements, print, python) });
    });
    return new Map(wanted.map((gate) => [gate, found.get(key(gate)) as Environment]));
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

async function check(gate: Gate, environment: Environment, places: CommonPlaces): Promise<RunResult> {
  const { python, programs } = environment;
  const scratch = await mkdtemp(join(places.collections, "../scratch-"));
  const home = join(scratch, "home");
  await mkdir(home);
  const command: Command = ([program, ...args], { cwd, env }) =>
    python.run(program, args, {
      cwd,
      env: { HOME: home, PATH: `${programs}:${process.env["PATH"]}`, ...env },
      from: `PyPI: ${gate.requirements.join(" ")}`,
      answers: "any",
    });
  try {
    return await gate.check({ ...places, ...environment, scratch }, command);
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

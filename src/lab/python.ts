// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Python of a lab: virtual environments like those of this machine, from the same index of packages.

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../tool/cache.ts";
import { configurationDirectory, type Python } from "../tool/python.ts";
import { failure, isAnswer, type Run } from "../tool/run.ts";
import type { Lab } from "./lab.ts";

/** Configuration of pip, and the certificates that it trusts. */
const pipFiles = (): readonly string[] => [
  "/etc/pip.conf",
  join(configurationDirectory(), "pip"),
  "/etc/ssl/certs/ca-certificates.crt",
];

/** Variables that pip and its downloads read. */
const pipVariable = /^(PIP_.*|https?_proxy|no_proxy)$/i;

/** Directories of the cache and of pip's configuration, which a lab has at the same paths as this machine. */
export async function pythonBinds(): Promise<readonly string[]> {
  await mkdir(cacheDirectory(), { recursive: true, mode: 0o700 });
  return [cacheDirectory(), ...pipFiles().filter((path) => existsSync(path))];
}

/** @param lab Started with `pythonBinds`. */
export function pythonOn(lab: Lab): Python {
  const variables = Object.entries(process.env).filter(([name]) => pipVariable.test(name));
  const pip = { ...Object.fromEntries(variables), XDG_CONFIG_HOME: configurationDirectory() };
  const runOnLab: Run = async (program, args, { cwd = "/", env = {}, input = "", answers = [0] }) => {
    const argv = ["env", `--chdir=${cwd}`, program, ...args];
    const { exitCode, stdout, stderr, output } = await lab.run(argv, { env: { ...pip, ...env }, input });
    if (isAnswer(exitCode, answers)) return { exitCode, output };
    throw failure(argv.join(" "), exitCode, `exit code ${exitCode}`, stderr || stdout);
  };
  return { run: runOnLab, prefix: "venv-lab" };
}

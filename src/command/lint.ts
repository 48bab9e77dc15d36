// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `npm run lint`: every checker, each to its end.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { listFiles } from "../output/directory.ts";
import type { Print } from "../tool/print.ts";
import { checkSyntax } from "../tool/python-syntax.ts";
import { type RunResult, run, ToolError } from "../tool/run.ts";

/** Directory of the wrapper's generated part; a build puts both parts side by side. */
const FLAGS = "generated/collection/playbooks/files";

/** @returns 0 when every checker passes; 1 otherwise, and with `CI=true` also when a checker is not installed. */
export async function lint(print: Print, { root = "." } = {}): Promise<number> {
  const files = [...(await listFiles(root, "collection")), ...(await listFiles(root, "generated/collection"))];
  const python = files.filter((path) => path.endsWith(".py"));
  const sh = await shellScripts(root, [...files, ".ci/run"]);
  const npm = { cwd: root, npm: true, from: "npm ci", answers: [0, 1, 2] };
  const checks: Readonly<Record<string, () => Promise<RunResult>>> = {
    tsc: () => run("tsc", ["--noEmit", "--pretty", "false"], npm),
    biome: () => run("biome", ["check", "--colors=off", "."], npm),
    knip: () => run("knip", ["--no-progress"], npm),
    shellcheck: () =>
      run("shellcheck", ["--external-sources", `--source-path=${FLAGS}`, ...sh], {
        cwd: root,
        from: "Debian's package shellcheck",
        answers: [0, 1],
      }),
    "python syntax": () => checkSyntax(root, python),
  };
  let worst = 0;
  for (const [name, check] of Object.entries(checks)) worst = Math.max(worst, await oneCheck(name, check, print));
  return worst;
}

async function oneCheck(name: string, check: () => Promise<RunResult>, print: Print): Promise<number> {
  try {
    const { exitCode, output } = await check();
    if (exitCode !== 0) print(output);
    print(`${name}: ${exitCode === 0 ? "fine" : "failed"}`);
    return exitCode === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const isMissing = error.exitCode === null;
    print(`${name}: ${isMissing ? "skipped" : "failed"}. ${error.message}`);
    return isMissing && process.env["CI"] !== "true" ? 0 : 1;
  }
}

async function shellScripts(root: string, paths: readonly string[]): Promise<readonly string[]> {
  const isShell = await Promise.all(
    paths.map(async (path) => {
      const text = await readFile(join(root, path), "utf8").catch(() => "");
      return /^#!\/(usr\/)?bin\/(env )?(ba|da)?sh\b/.test(text) || (path.endsWith(".sh") && text !== "");
    }),
  );
  return paths.filter((_, index) => isShell[index]);
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs the tests of this checkout on a lab, with the lab's Ansible, Python, systemd and Node.js.

import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { cacheDirectory } from "../tool/cache.ts";
import type { Suite } from "../tool/mmdebstrap.ts";
import { type Counts, counted } from "../tool/vitest.ts";
import { type Lab, startLab } from "./lab.ts";

const checkout = "/srv/nspawn-runner";

/** Versions of a host. */
export interface Versions {
  /** Of ansible-core, such as 2.19.4. */
  readonly ansible: string;
  readonly python: string;
  /** Such as 257. */
  readonly systemd: string;
}

/**
 * @param filters Parts of test files' paths; none means all, including test/lab, whose tests run on a lab only.
 * @throws {ToolError} when the lab's tree cannot be made.
 */
export async function vitestOnLab(
  suite: Suite,
  filters: readonly string[],
): Promise<{ readonly versions: Versions; readonly counts: Counts }> {
  await mkdir(cacheDirectory(), { recursive: true, mode: 0o700 });
  let versions: Versions = { ansible: "", python: "", systemd: "" };
  const counts = await counted(filters, async (argv, directory) => {
    const lab = await startLab({
      suite,
      binds: [`${resolve()}:${checkout}`, `${cacheDirectory()}:/root/.cache/nspawn-runner`, directory],
    });
    try {
      versions = await versionsOn(lab);
      const program = ["env", `--chdir=${checkout}`, "node_modules/.bin/vitest", ...argv];
      const env = { CI: process.env["CI"] ?? "", NSPAWN_RUNNER_LAB: suite };
      return (await lab.run(program, { env, terminal: true })).exitCode;
    } finally {
      await lab.stop();
    }
  });
  return { versions, counts };
}

async function versionsOn(lab: Lab): Promise<Versions> {
  const { stdout } = await lab.run(["sh", "-c", "ansible --version; systemctl --version"]);
  const found = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? "unknown";
  return {
    ansible: found(/^ansible \[core (\S+)\]/m),
    python: found(/python version = (\S+)/),
    systemd: found(/^systemd (\d+)/m),
  };
}

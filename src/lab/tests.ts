// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs the tests of this checkout on a lab: with its own Ansible or one from PyPI, and its own Python, systemd and Node.js.

import { dirname, resolve } from "node:path";
import { cacheDirectory } from "../tool/cache.ts";
import type { Suite } from "../tool/mmdebstrap.ts";
import type { Print } from "../tool/print.ts";
import { virtualEnvironment } from "../tool/python.ts";
import { type Counts, counted } from "../tool/vitest.ts";
import { type Lab, startLab } from "./lab.ts";
import { pythonBinds, pythonOn } from "./python.ts";

const checkout = "/srv/nspawn-runner";

/** Runs a program that takes this host for one without systemd as PID 1. */
const withoutSystemd = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run/systemd && exec "$@"', "sh"];

/** Versions of a host. */
export interface Versions {
  /** Of ansible-core, such as 2.19.4. */
  readonly ansible: string;
  /** Such as 3.13.5. */
  readonly python: string;
  /** Such as 257. */
  readonly systemd: string;
}

export interface LabTests {
  readonly versions: Versions;
  readonly counts: Counts;
}

/**
 * @param filters Parts of test files' paths; none means all, also those in test/lab, which run nowhere else.
 * @param options.ansible Version of ansible-core from PyPI, in place of the lab's own.
 * @param options.systemd Whether the tests see that systemd is PID 1; true by default.
 * @throws {ToolError} when the lab's tree cannot be made, or PyPI cannot be reached.
 */
export async function vitestOnLab(
  suite: Suite,
  filters: readonly string[],
  { ansible, systemd = true, print = () => {} }: { ansible?: string; systemd?: boolean; print?: Print } = {},
): Promise<LabTests> {
  let versions: Versions = { ansible: "", python: "", systemd: "" };
  const start = async (argv: readonly string[], directory: string): Promise<number> => {
    const binds = [`${resolve()}:${checkout}`, ...(await pythonBinds()), directory];
    // Bookworm's own Node.js is too old.
    if (suite === "bookworm") binds.push(`${process.execPath}:/usr/local/bin/node`);
    const lab = await startLab({ suite, binds });
    try {
      const bin = ansible && (await virtualEnvironment([`ansible-core==${ansible}`], print, pythonOn(lab)));
      versions = await versionsOn(lab, bin ? `${bin}/ansible` : "ansible");
      const vitest = ["env", `--chdir=${checkout}`, "node_modules/.bin/vitest", ...argv];
      const program = [...(systemd ? [] : withoutSystemd), ...vitest];
      const env = {
        CI: process.env["CI"] ?? "",
        NSPAWN_RUNNER_LAB: suite,
        XDG_CACHE_HOME: dirname(cacheDirectory()),
        ...(bin ? { NSPAWN_RUNNER_ANSIBLE: bin } : {}),
      };
      return (await lab.run(program, { env, terminal: true })).exitCode;
    } finally {
      await lab.stop();
    }
  };
  const counts = await counted(filters, start, checkout);
  return { versions, counts };
}

async function versionsOn(lab: Lab, ansible: string): Promise<Versions> {
  const { stdout } = await lab.run(["sh", "-c", `${ansible} --version; systemctl --version`]);
  const found = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? "unknown";
  return {
    ansible: found(/^ansible \[core (\S+)\]/m),
    python: found(/python version = (\S+)/),
    systemd: found(/^systemd (\d+)/m),
  };
}

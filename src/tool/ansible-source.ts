// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Integration tests of ansible-core, from the source distribution on PyPI. The project runs these tests and keeps no copy.

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "./cache.ts";
import type { Python } from "./python.ts";
import { run } from "./run.ts";

/**
 * The directory of a target of ansible-core's integration tests, such as `connection`. The directory is shared: never change its files.
 *
 * @param python Runs pip; the version decides which Python can.
 * @param programs Directory of the programs of a virtual environment that has pip.
 * @throws {ToolError} when PyPI cannot be reached, or the distribution lacks the target.
 */
export function integrationTarget(version: string, target: string, python: Python, programs: string): Promise<string> {
  return cached(`ansible-core-${version}-${target}`, async (directory) => {
    // The cache is where a lab's Python can write too.
    const download = await mkdtemp(`${directory}.download-`);
    try {
      const args = ["download", "--quiet", "--no-deps", "--no-binary=:all:", "--dest", download];
      await python.run(join(programs, "pip"), [...args, `ansible-core==${version}`], {
        from: "Debian's package python3-venv",
      });
      const [archive] = await readdir(download);
      const path = `*/test/integration/targets/${target}`;
      const options = ["--extract", "--file", join(download, archive as string), "--directory", directory];
      await run("tar", [...options, "--strip-components=5", "--wildcards", path], { from: "every Debian system" });
    } finally {
      await rm(download, { recursive: true, force: true });
    }
  });
}

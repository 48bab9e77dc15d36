// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take minutes. A worker that begins one last goes on alone. */
const long = ["faults", "demo", "examples", "create-tools", "publish", "wrapper", "connection-upgrade"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => long.some((name) => moduleId.endsWith(`/${name}.test.ts`));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They need systemd as PID 1.
    exclude: process.env["NSPAWN_RUNNER_LAB"] ? [] : ["test/lab/**"],
    globalSetup: ["test/support/artifact.ts"],
    // For what hangs: with real containers and package installations, a busy machine needs minutes for what a quiet one does in one.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});

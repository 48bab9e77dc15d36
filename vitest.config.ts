// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { projects } from "./src/tool/vitest.ts";

// A timeout ends a test that hangs. Real containers and package installations take minutes on a busy machine, one minute on a quiet one.
const timeout = { artifact: 900_000, source: 300_000 };

export default defineConfig({
  test: {
    // Tests wait for containers a third of their time: one worker more than processors keeps all processors busy.
    maxWorkers: availableParallelism() + 1,
    projects: projects
      .filter(({ name }) => name !== "lab" || process.env["NSPAWN_RUNNER_LAB"])
      .map(({ name, artifact }) => ({
        extends: true,
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          globalSetup: artifact ? ["test/support/artifact.ts"] : [],
          testTimeout: artifact ? timeout.artifact : timeout.source,
          hookTimeout: artifact ? timeout.artifact : timeout.source,
        },
      })),
  },
});

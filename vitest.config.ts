// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They need systemd as PID 1.
    exclude: process.env["NSPAWN_RUNNER_LAB"] ? [] : ["test/lab/**"],
    globalSetup: ["test/support/setup.ts"],
    // Real containers and real package installations.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { execa } from "execa";
import { expect, test } from "vitest";

test("no checker has a complaint about this checkout, and none is missing", async () => {
  const { exitCode, stdout } = await execa("npm", ["run", "--silent", "lint"], {
    env: { CI: "true" },
    reject: false,
    stdin: "ignore",
  });
  expect(stdout.split("\n")).toEqual([
    "tsc: fine",
    "biome: fine",
    "knip: fine",
    "shellcheck: fine",
    "python syntax: fine",
  ]);
  expect(exitCode).toBe(0);
});

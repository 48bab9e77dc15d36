// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Types and style of this checkout, by `npm run lint`; the lint of broken files is in build.test.ts.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { run } from "../../src/tool/run.ts";

test("no checker has a complaint about this checkout, and every checker is installed", async () => {
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

const cases = readdirSync("test/case", { withFileTypes: true }).filter((entry) => entry.isDirectory());

test.each(cases.map(({ name }) => name))(
  "shellcheck has no complaint about the shell of the golden case %s",
  async (name) => {
    const path = join("test/case", name, "want/generated/collection/playbooks/files/nspawn-flags.sh");
    // SC2016: a dollar sign in single quotes is meant.
    await run("shellcheck", ["--exclude=SC2016", path], { from: "Debian's package shellcheck" });
  },
);

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The choice of tests of `npm test`, the needs of the tests, and the closing line.

import { expect, test } from "vitest";
import { cli, cliWithoutRoot } from "../support/cli.ts";

test("a filter that matches no test: the projects are named", async () => {
  const { exitCode, stdout } = await cli(".", ["test", "nosuch"]);
  expect(exitCode).toBe(1);
  expect(stdout.split("\n")).toEqual([
    "No test has a path with nosuch. The projects are unit, case, cli, ansible, nspawn, endurance, lab.",
    "",
    "0 passed, 0 failed",
  ]);
});

test("the tests of lab: a sentence says how to run the tests", async () => {
  const { exitCode, stdout } = await cli(".", ["test", "lab"], { NSPAWN_RUNNER_LAB: "" });
  expect(exitCode).toBe(1);
  expect(stdout).toContain("npm test -- --lab trixie lab");
});

test.each([
  [[], "ansible, nspawn"],
  [["unit", "test/endurance/demo"], "endurance"],
])("without root, %j is refused with one sentence", async (filters, tests) => {
  expect(await cliWithoutRoot(".", ["test", ...filters])).toEqual({
    exitCode: 2,
    stdout: [
      `The tests of ${tests} start containers and mount file systems: run them as root.`,
      "Tests that need no root: npm test -- unit case cli",
    ].join("\n"),
    stderr: "",
  });
});

test("a part of a path runs these tests alone, without root, and the last line counts them", async () => {
  const { exitCode, stdout } = await cliWithoutRoot(".", ["test", "unit/output"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("is sorted by path");
  expect(stdout).not.toContain("test/unit/write");
  expect(stdout).toMatch(/\n\n15 passed, 0 failed$/);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `generate`, as a developer calls the command.

import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli } from "../support/cli.ts";
import { modelCheckout } from "../support/model.ts";
import { scratch } from "../support/scratch.ts";

const layout = "generated/collection/plugins/module_utils/_spec/layout.py";

test("the committed files are up to date", async () => {
  expect(await cli(".", ["generate", "--check"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

test("writes once, then has nothing to do", async () => {
  const checkout = await modelCheckout(scratch());
  const first = await cli(checkout, ["generate"]);
  expect(first).toMatchObject({ exitCode: 0, stderr: "" });
  expect(first.stdout).toContain(`wrote ${layout}`);
  expect(await cli(checkout, ["generate"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(await cli(checkout, ["generate", "--check"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

test("--check shows drift as a diff and writes nothing", async () => {
  const checkout = await modelCheckout(scratch());
  await cli(checkout, ["generate"]);
  await appendFile(join(checkout, layout), "BY_HAND = 1\n");
  await writeFile(join(checkout, "generated/orphan"), "orphan\n");
  await rm(join(checkout, "generated/collection/galaxy.yml"));
  const { exitCode, stdout, stderr } = await cli(checkout, ["generate", "--check"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
  expect(stdout).toContain(`--- a/${layout}\n+++ b/${layout}\n`);
  expect(stdout).toContain("\n-BY_HAND = 1\n");
  expect(stdout).toContain("--- /dev/null\n+++ b/generated/collection/galaxy.yml\n");
  expect(stdout).toContain("--- a/generated/orphan\n+++ /dev/null\n");
  expect(await readFile(join(checkout, layout), "utf8")).toContain("BY_HAND");

  expect((await cli(checkout, ["generate"])).stdout.split("\n").sort()).toEqual([
    "removed generated/orphan",
    "wrote generated/collection/galaxy.yml",
    `wrote ${layout}`,
  ]);
  expect((await cli(checkout, ["generate", "--check"])).exitCode).toBe(0);
});

test("a broken model: all positions, no stack, nothing written", async () => {
  const checkout = await modelCheckout(scratch(), [
    ["content.ts", "box_labels?: Record<string, string>;", "box_labels?: Date;"],
    ["content.ts", "/** Its colour. */", "/** Its colour */"],
  ]);
  const { exitCode, stdout, stderr } = await cli(checkout, ["generate"]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toContain("src/model/content.ts:100:16 - error: Type Date has no match in Ansible.");
  expect(stderr).toContain("100   box_labels?: Date;\n                   ~~~~\n");
  expect(stderr).toContain("src/model/content.ts:101:3 - error: ");
  expect(stderr).toMatch(/\nMistakes in the model: 2\.$/);
  expect(stderr).not.toMatch(/^ {4}at /m);
  await expect(readFile(join(checkout, layout))).rejects.toThrow("ENOENT");
});

test.each([
  [["genrate"], "unknown command 'genrate'"],
  [["generate", "--chekc"], "unknown option '--chekc'"],
  [["generate", "extra"], "too many arguments"],
])("wrong use: %j", async (args, message) => {
  const { exitCode, stdout, stderr } = await cli(".", args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr).toContain(message);
});

test("outside a checkout", async () => {
  expect(await cli(scratch(), ["generate"])).toEqual({
    exitCode: 2,
    stdout: "",
    stderr: "src/model: not found here. Run this command at the top of a checkout.",
  });
});

test("--help succeeds", async () => {
  expect(await cli(".", ["--help"])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("generate"),
    stderr: "",
  });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The ways in which a program fails, and the messages for the user.

import { describe, expect, test } from "vitest";
import { checkSyntax } from "../../../src/tool/python-syntax.ts";
import { run, ToolError } from "../../../src/tool/run.ts";
import { files, scratch } from "../../support/scratch.ts";

const from = "Debian's package coreutils";

describe("run", () => {
  test("returns the output of the program", async () => {
    expect(await run("sh", ["-c", "echo out; echo err >&2"], { from })).toEqual({ exitCode: 0, output: "out\nerr" });
  });

  test("a program that is not installed", async () => {
    await expect(run("no-such-program", [], { from })).rejects.toThrow(
      new ToolError("no-such-program", null, "not installed. It comes with Debian's package coreutils."),
    );
  });

  test("a program that fails: command, exit code, the last messages", async () => {
    const error = await run("sh", ["-c", "seq 1 30 >&2; exit 3"], { from }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ToolError);
    expect(error).toMatchObject({ exitCode: 3, command: "sh -c 'seq 1 30 >&2; exit 3'" });
    expect((error as ToolError).message).toContain("exit code 3\n11\n12\n");
  });

  test("a program that is killed", async () => {
    await expect(run("sh", ["-c", "kill -9 $$"], { from })).rejects.toThrow("ended by SIGKILL");
  });

  test("an exit code that is declared as an answer", async () => {
    expect((await run("sh", ["-c", "exit 1"], { from, answers: [0, 1] })).exitCode).toBe(1);
  });
});

describe("Python's syntax", () => {
  test.each([
    ["fine", "x: list[str] = []\n", ""],
    ["broken", "x = (\n", "a.py:1: '(' was never closed"],
    [
      "too new",
      "match x:\n    case 1: pass\n",
      "a.py:2: Pattern matching is only supported in Python 3.10 and greater",
    ],
    ["wrong place", "return 1\n", "a.py:1: 'return' outside function"],
  ])("%s", async (_, text, want) => {
    const root = await files(scratch(), { "a.py": text });
    expect(await checkSyntax(root, ["a.py"])).toEqual({ exitCode: want === "" ? 0 : 1, output: want });
  });
});

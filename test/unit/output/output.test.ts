// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Plan, comparison and written files, on a real disk.

import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { apply } from "../../../src/output/apply.ts";
import { compare, unifiedDiff } from "../../../src/output/compare.ts";
import { type PlannedFile, planFiles } from "../../../src/output/plan.ts";
import { files, scratch } from "../../support/scratch.ts";

const text = (content: string, mode: PlannedFile["mode"] = 0o644): PlannedFile => ({ content, mode });

describe("a plan", () => {
  test("is sorted by path", () => {
    expect([
      ...planFiles([
        ["b", text("")],
        ["a/c", text("")],
      ]).keys(),
    ]).toEqual(["a/c", "b"]);
  });

  test("has one writer for each path", () => {
    expect(() =>
      planFiles([
        ["a", text("1")],
        ["a", text("1")],
      ]),
    ).toThrow("Two writers want a.");
  });

  test.each(["/a", "../a", "a/../../b", "a//b", "./a", ""])("has no path out of the directory: %j", (path) => {
    expect(() => planFiles([[path, text("")]])).toThrow("is not a path below");
  });
});

describe("apply", () => {
  test("makes new files, and then nothing differs", async () => {
    const root = scratch();
    const plan = planFiles([
      ["out/a/b", text("b\n")],
      ["out/run", text("#!/bin/sh\n", 0o755)],
    ]);
    await apply(root, await compare(root, plan, "out"));
    expect(readFileSync(join(root, "out/a/b"), "utf8")).toBe("b\n");
    expect(statSync(join(root, "out/run")).mode & 0o777).toBe(0o755);
    expect(await compare(root, plan, "out")).toEqual([]);
  });

  test("writes only files that differ", async () => {
    const root = await files(scratch(), { "out/same": "1", "out/other": "1" });
    const inode = (name: string) => statSync(join(root, "out", name)).ino;
    const before = [inode("same"), inode("other")];
    const plan = planFiles([
      ["out/same", text("1")],
      ["out/other", text("2")],
    ]);
    const differences = await compare(root, plan, "out");
    await apply(root, differences);
    expect(differences.map(({ path }) => path)).toEqual(["out/other"]);
    expect(inode("same")).toBe(before[0]);
    expect(inode("other")).not.toBe(before[1]);
  });

  test("deletes orphans in the directory, and nothing beside the directory", async () => {
    const root = await files(scratch(), { "out/old/deep/x": "1", "out/keep": "1", "beside/x": "1", outer: "1" });
    const plan = planFiles([["out/keep", text("1")]]);
    await apply(root, await compare(root, plan, "out"));
    expect(existsSync(join(root, "out/old"))).toBe(false);
    expect(existsSync(join(root, "beside/x")) && existsSync(join(root, "outer"))).toBe(true);
  });

  test("follows no link out of the directory", async () => {
    const root = await files(scratch(), { "beside/x": "1", "out/": "" });
    symlinkSync("../beside", join(root, "out/sub"));
    symlinkSync("../beside/x", join(root, "out/file"));
    const plan = planFiles([
      ["out/sub/x", text("2")],
      ["out/file", text("2")],
    ]);
    await apply(root, await compare(root, plan, "out"));
    expect(readFileSync(join(root, "beside/x"), "utf8")).toBe("1");
    expect(readFileSync(join(root, "out/sub/x"), "utf8")).toBe("2");
    expect(readFileSync(join(root, "out/file"), "utf8")).toBe("2");
  });

  test("ignores Python's bytecode", async () => {
    const root = await files(scratch(), { "out/__pycache__/x.pyc": "1", "out/a": "1" });
    expect(await compare(root, planFiles([["out/a", text("1")]]), "out")).toEqual([]);
  });
});

describe("a diff", () => {
  const diffOf = async (root: string, plan: Parameters<typeof planFiles>[0]) =>
    unifiedDiff(await compare(root, planFiles(plan), "out"));

  test("shows changed, new and deleted files", async () => {
    const root = await files(scratch(), { "out/changed": "a\nb\n", "out/orphan": "x\n" });
    expect(
      await diffOf(root, [
        ["out/changed", text("a\nc\n")],
        ["out/new", text("n\n")],
      ]),
    ).toBe(
      [
        "--- a/out/changed\n+++ b/out/changed\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n",
        "--- /dev/null\n+++ b/out/new\n@@ -0,0 +1,1 @@\n+n\n",
        "--- a/out/orphan\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n",
      ].join(""),
    );
  });

  test("shows modes, and files without a line", async () => {
    const root = scratch();
    mkdirSync(join(root, "out"));
    writeFileSync(join(root, "out/x"), "1\n");
    writeFileSync(join(root, "out/empty"), "");
    chmodSync(join(root, "out/x"), 0o755);
    expect(await diffOf(root, [["out/x", text("1\n")]])).toBe(
      "diff --git a/out/x b/out/x\nold mode 100755\nnew mode 100644\ndeleted: out/empty\n",
    );
  });
});

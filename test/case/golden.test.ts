// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Whole models in, whole trees of files out. `UPDATE=1` rewrites what is wanted.

import { readdirSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { apply } from "../../src/output/apply.ts";
import { compare, unifiedDiff } from "../../src/output/compare.ts";
import { planFiles } from "../../src/output/plan.ts";
import { readModel } from "../../src/read/model.ts";
import { checkSyntax } from "../../src/tool/python-syntax.ts";
import { run } from "../../src/tool/run.ts";
import { writeSpec } from "../../src/write/write.ts";

const cases = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) => entry.isDirectory());

describe.each(cases.map(({ name }) => name))("case %s", (name) => {
  const directory = join(import.meta.dirname, name);
  const outputs = () => writeSpec(readModel(join(directory, "in")));

  test("gives the files in want/", async () => {
    const plan = planFiles(outputs().map(([path, content]) => [path, { content, mode: 0o644 }] as const));
    const want = join(directory, "want");
    if (process.env.UPDATE === "1") {
      await rm(want, { recursive: true, force: true });
      await apply(want, await compare(want, plan, ""));
    }
    expect(unifiedDiff(await compare(want, plan, ""))).toBe("");
  });

  test("Python understands the Python", async () => {
    const paths = outputs().flatMap(([path]) => (path.endsWith(".py") ? [path] : []));
    expect(paths.length).toBeGreaterThan(5);
    expect(await checkSyntax(join(directory, "want"), paths)).toEqual({ exitCode: 0, output: "" });
  });

  test("shellcheck and sh have nothing to say", async () => {
    const path = join(directory, "want/generated/collection/playbooks/files/nspawn-flags.sh");
    // SC2016: a dollar sign between single quotes is meant.
    await run("shellcheck", ["--exclude=SC2016", path], { from: "Debian's package shellcheck" });
    await run("sh", ["-n", path], { from: "every system" });
  });

  test("the same twice", async () => {
    expect(outputs()).toEqual(outputs());
    expect(await readFile(join(directory, "want/generated/spec.json"), "utf8")).toMatch(/\}\n$/);
  });
});

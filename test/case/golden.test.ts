// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Each case is a whole model in `in/` and the whole tree of files that it gives in `want/`. `UPDATE=1` writes `want/`.

import { readdirSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
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
  const write = () => writeSpec(readModel(join(directory, "in")));
  let files: ReturnType<typeof write>;

  beforeAll(() => {
    files = write();
  });

  test("gives the files in want/", async () => {
    const plan = planFiles(files.map(([path, content]) => [path, { content, mode: 0o644 }] as const));
    const want = join(directory, "want");
    if (process.env.UPDATE === "1") {
      await rm(want, { recursive: true, force: true });
      await apply(want, await compare(want, plan, ""));
    }
    expect(unifiedDiff(await compare(want, plan, ""))).toBe("");
  });

  test("the generated Python parses", async () => {
    const paths = files.flatMap(([path]) => (path.endsWith(".py") ? [path] : []));
    expect(paths.length).toBeGreaterThan(5);
    expect(await checkSyntax(join(directory, "want"), paths)).toEqual({ exitCode: 0, output: "" });
  });

  test("sh parses the generated command line", async () => {
    const path = join(directory, "want/generated/collection/playbooks/files/nspawn-flags.sh");
    await run("sh", ["-n", path], { from: "every system" });
  });

  test("the output is the same each time, and the JSON ends in a line break", async () => {
    expect(write()).toEqual(files);
    expect(await readFile(join(directory, "want/generated/spec.json"), "utf8")).toMatch(/\}\n$/);
  });
});

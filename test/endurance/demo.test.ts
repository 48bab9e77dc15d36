// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm run demo`, as a reader of the README calls the command: real images from the archive.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { readRecap } from "../../src/tool/ansible.ts";
import { mountsBeneath } from "../support/scratch.ts";

const demo = () => execa("npm", ["run", "--silent", "demo"], { all: true, reject: false, stdin: "ignore" });

test("the demo makes two images, breaks and rolls back one; the second call finds nothing to do", async () => {
  const first = await demo();
  expect(first.exitCode, first.all).toBe(0);
  for (const suite of ["bookworm", "trixie"]) {
    const release = await readFile(join("build/demo/images", suite, "usr/lib/os-release"), "utf8");
    expect(release).toContain(`VERSION_CODENAME=${suite}`);
  }
  const again = await demo();
  expect(again.exitCode, again.all).toBe(0);
  const [, maintenance = "", failure = "", publication = "", rollback = ""] = again.stdout.split(
    /\n\[\d+ s\] (?=Maintenance again|A maintenance that fails|The same without|The trees of the image)/,
  );
  const recap = readRecap(maintenance);
  expect([...recap.keys()].sort()).toEqual(["bookworm", "trixie"]);
  for (const counts of recap.values()) expect(counts).toMatchObject({ changed: 0, failed: 0, unreachable: 0 });
  expect(failure).toMatch(/^trixie +failed +1 /m);
  expect(publication).toMatch(/^trixie +published +1 +0 +0 +0 /m);
  expect(rollback).toMatch(/^trixie \| .*rolled back from \S+ to /m);
  expect(rollback).toContain("image trixie is released");
  // No image was made a second time.
  expect(again.stdout).not.toMatch(/\| I: /);
  expect(mountsBeneath(join(process.cwd(), "build"))).toEqual([]);
});

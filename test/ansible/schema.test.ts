// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The artifact's examples are checked as by an editor: against the schema that each example names.

import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { collectionPath } from "../support/ansible.ts";

const examples = join(collectionPath(), "examples");

/** Where the README installs the collection. */
const installed = "/usr/share/ansible/collections/ansible_collections/nspawn/runner";

async function check(text: string): Promise<boolean> {
  const named = /^# yaml-language-server: \$schema=(\S+)$/m.exec(text)?.[1];
  if (named === undefined) throw new Error("names no schema");
  // A path that stays right in a copy.
  expect(isAbsolute(named)).toBe(true);
  const schema = JSON.parse(await readFile(named.replace(installed, collectionPath()), "utf8"));
  return new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true }).validate(schema, parse(text));
}

test.each(readdirSync(examples).filter((name) => name.endsWith(".yml")))(
  "%s matches the schema that the file names",
  async (name) => {
    const text = await readFile(join(examples, name), "utf8");
    expect(await check(text)).toBe(true);
    expect(await check(text.replace(/^( *)(?:plugin|hosts|import_playbook):/m, "$1oops:"))).toBe(false);
  },
);

test("a misspelt variable of an example is found", async () => {
  const text = await readFile(join(examples, "trixie.yml"), "utf8");
  expect(await check(text.replace("nspawn_runner_packages", "nspawn_runner_pakages"))).toBe(false);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The artifact as installed by ansible-galaxy: complete, documented, without other collections.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ansible, collectionPath } from "../support/ansible.ts";
import { scratch } from "../support/scratch.ts";

/** The kinds of plugins by ansible-doc's names, each with the directory. */
const kinds = {
  inventory: "inventory",
  vars: "vars",
  connection: "connection",
  callback: "callback",
  module: "modules",
};

interface Documentation {
  doc: { options?: Record<string, { description: string | string[] }> };
  examples: string | null;
  return: Record<string, { description: string | string[] }> | null;
}

describe("the installed artifact", () => {
  test.each([
    ["inventory", "chroots", "playbook_dirs"],
    ["vars", "playbook_vars", "playbook_dirs"],
    ["module", "chroot", "tarball"],
    ["module", "maintain", "create_only"],
    ["module", "summary", "register"],
    ["module", "rollback", "release"],
    ["module", "status", "format"],
    ["callback", "inner_result", "NSPAWN_RUNNER_INNER"],
  ])("documents the %s plugin nspawn.runner.%s with the options", async (type, name, option) => {
    const { exitCode, stdout, stderr } = await ansible("ansible-doc", ["-t", type, `nspawn.runner.${name}`], {
      cwd: scratch(),
    });
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    expect(stdout.toLowerCase()).toContain(`nspawn.runner.${name} `);
    expect(stdout).toContain(option);
    // Markup that this version of ansible-doc does not know is printed unchanged.
    expect(stdout).not.toMatch(/\b[OVPE]\(/);
  });

  test.each(Object.entries(kinds))("describes every option of each %s plugin, with examples", async (type, folder) => {
    const files = (await readdir(join(collectionPath(), "plugins", folder))).filter((file) => file.endsWith(".py"));
    const names = files.map((file) => `nspawn.runner.${file.replace(/\.py$/, "")}`);
    const { stdout } = await ansible("ansible-doc", ["--json", "-t", type, ...names], { cwd: scratch() });
    const documented = JSON.parse(stdout) as Record<string, Documentation>;
    expect(Object.keys(documented).sort()).toEqual(names.sort());
    for (const [name, { doc, examples, return: returned }] of Object.entries(documented)) {
      expect(examples?.trim(), name).toMatch(/^\S/);
      for (const [option, { description }] of Object.entries({ ...doc.options, ...returned }))
        expect([description].flat().join(""), `${name} ${option}`).toMatch(/\.$/);
      if (type === "module") expect(returned, name).not.toBeNull();
    }
  });

  test.each(Object.entries(kinds))("has a description of each %s plugin in the list", async (type, folder) => {
    const files = (await readdir(join(collectionPath(), "plugins", folder))).filter((file) => file.endsWith(".py"));
    const { stdout } = await ansible("ansible-doc", ["-t", type, "--list", "nspawn.runner"], { cwd: scratch() });
    for (const file of files) {
      const name = `nspawn.runner.${file.replace(/\.py$/, "")}`;
      expect(stdout).toMatch(new RegExp(`^${name} +(?!UNDOCUMENTED)[A-Z]`, "m"));
    }
  });

  test("gives the options of an inventory plugin with type and default, Ansible's own ones included", async () => {
    const { stdout } = await ansible("ansible-doc", ["--json", "-t", "inventory", "nspawn.runner.chroots"], {
      cwd: scratch(),
    });
    const { options } = (JSON.parse(stdout) as Record<string, Documentation>)["nspawn.runner.chroots"]?.doc ?? {};
    expect(options?.["root"]).toMatchObject({ type: "path", default: "/var/lib/nspawn-runner" });
    expect(Object.keys(options ?? {})).toEqual(expect.arrayContaining(["compose", "groups", "keyed_groups", "strict"]));
  });

  test("keeps the run bit of the wrapper and of nothing that is not a program", async () => {
    const mode = async (path: string) => ((await stat(join(collectionPath(), path))).mode & 0o111) !== 0;
    expect(await mode("playbooks/files/nspawn-chroot")).toBe(true);
    expect(await mode("playbooks/files/nspawn-flags.sh")).toBe(false);
    expect(await mode("plugins/modules/chroot.py")).toBe(false);
  });

  test("depends on no other collection, and has README, licence and examples", async () => {
    const manifest = JSON.parse(await readFile(join(collectionPath(), "MANIFEST.json"), "utf8"));
    expect(manifest.collection_info.dependencies).toEqual({});
    for (const file of [
      "README.md",
      "LICENSE",
      "examples/site.yml",
      "examples/nspawn_runner.yml",
      "changelogs/config.yaml",
    ]) {
      expect((await stat(join(collectionPath(), file))).size, file).toBeGreaterThan(0);
    }
  });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The examples of the artifact, unchanged, on a host without trees. Maintenance of real trees by the examples is in test/endurance.

import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { examplesHost } from "../support/examples.ts";
import { summary } from "../support/runner-host.ts";

const images = ["bookworm", "sid", "slim", "trixie"];
const { directory, root, run } = examplesHost();

describe("the examples", () => {
  test("are images that are missing at first, and nothing else", async () => {
    const { stdout, stderr } = await run("ansible-inventory", "--list");
    expect(stderr).not.toMatch(/warning|error/i);
    const inventory = JSON.parse(stdout);
    expect(inventory.nspawn_runner_missing.hosts.sort()).toEqual(images);
    expect(inventory.nspawn_runner_declared.hosts.sort()).toEqual(images);
  });

  test.each(["site.yml", ...images.map((image) => `${image}.yml`)])("%s is a playbook", async (file) => {
    const { exitCode, stderr } = await run("ansible-playbook", "--syntax-check", file);
    expect(stderr).not.toMatch(/error/i);
    expect(exitCode).toBe(0);
  });

  test("name with --check the images that would be created, sid too", async () => {
    const result = await run("ansible-playbook", "site.yml", "--check");
    expect(result.exitCode).toBe(0);
    for (const image of images) expect(summary(result, image)[0]).toBe("would be published");
    expect(result.stdout).toMatch(/^sid \| .* from suite sid$/m);
    await expect(stat(root)).rejects.toThrow();
  });

  test("make a mistake in the inventory one message, which ends the run", async () => {
    const file = join(directory, "nspawn_runner.yml");
    const right = await readFile(file, "utf8");
    await writeFile(file, `${right}roots: /srv\n`);
    const { exitCode, stdout, stderr } = await run("ansible-playbook", "site.yml");
    await writeFile(file, right);
    expect(exitCode).not.toBe(0);
    expect(stdout).not.toContain("PLAY");
    const said = (stdout + stderr).replaceAll(/\s+/g, " ");
    expect(said.match(/unknown option/g)).toHaveLength(1);
    // Other plugins that tried to read the file would be named, each with a mistake of its own.
    expect(said.match(/Failed to parse|failed to parse inventory/gi)).toHaveLength(1);
  });
});

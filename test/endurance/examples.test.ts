// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The examples of the artifact, as they are, on real Debian trees. The demo creates bookworm and trixie from nothing.

import { cp, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type AnsibleProgram, ansible, collectionPath } from "../support/ansible.ts";
import { recap, sentence, summary } from "../support/runner-host.ts";
import { scratch } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

const images = ["bookworm", "sid", "slim", "trixie"];
const base = scratch("file");
const directory = join(base, "etc");
const root = join(base, "images");
// No -i: the example's ansible.cfg names the inventory.
const run = (program: AnsibleProgram, ...args: string[]) =>
  ansible(program, args, { cwd: directory, env: { NSPAWN_RUNNER_ROOT: root } });

beforeAll(async () => {
  await cp(join(collectionPath(), "examples"), directory, { recursive: true });
});

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

  test("say with --check what they would create, sid too", async () => {
    const result = await run("ansible-playbook", "site.yml", "--check");
    expect(result.exitCode).toBe(0);
    for (const image of images) expect(summary(result, image)[0]).toBe("would be published");
    expect(result.stdout).toMatch(/^sid \| .* from suite sid$/m);
    await expect(stat(root)).rejects.toThrow();
  });

  test("bookworm and trixie bring a Debian up to date, and then find nothing to do", async () => {
    await Promise.all([debianTree(join(root, "bookworm")), debianTree(join(root, "trixie"), "trixie")]);
    const first = await run("ansible-playbook", "site.yml", "--limit", "bookworm,trixie");
    for (const image of ["bookworm", "trixie"]) {
      expect(sentence(first, image)).toBe("");
      expect(summary(first, image)[0]).toBe("published");
    }
    expect(await readFile(join(root, "trixie/etc/passwd"), "utf8")).toMatch(/^ci:/m);
    await expect(
      stat(join(root, "trixie/etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer")),
    ).rejects.toThrow();
    const second = await run("ansible-playbook", "site.yml", "--limit", "bookworm,trixie");
    expect(second.exitCode).toBe(0);
    for (const image of ["bookworm", "trixie"]) {
      expect(summary(second, image).slice(0, 2)).toEqual(["unchanged", "0"]);
      expect(recap(second, image)).toMatchObject({ changed: 0, failed: 0, unreachable: 0 });
    }
    // Run by hand, in place, with the whole inventory.
    const byHand = await run("ansible-playbook", "trixie.yml");
    expect(recap(byHand, "trixie")).toMatchObject({ changed: 0, failed: 0, unreachable: 0 });
    expect(recap(byHand, "bookworm")).toEqual({});
  });

  test("sid is made and maintained, or the archive's own breakage is called that", async () => {
    const result = await run("ansible-playbook", "site.yml", "--limit", "sid");
    if (result.exitCode === 0) expect(summary(result, "sid")[0]).toBe("published");
    else expect(sentence(result, "sid")).toMatch(/: the archive('s packages do not go together| is out of date)/);
  });

  test("slim is made by its own command, without documentation", async () => {
    const first = await run("ansible-playbook", "site.yml", "--limit", "slim");
    expect(sentence(first, "slim")).toBe("");
    expect(summary(first, "slim")[0]).toBe("published");
    expect((await stat(join(root, "slim/usr/share/doc/bash/copyright"))).isFile()).toBe(true);
    await expect(stat(join(root, "slim/usr/share/doc/bash/README.gz"))).rejects.toThrow();
    const second = await run("ansible-playbook", "site.yml", "--limit", "slim");
    expect(summary(second, "slim").slice(0, 2)).toEqual(["unchanged", "0"]);
  });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The examples of the artifact, unchanged, on real Debian trees. The demo creates bookworm and trixie from scratch.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { examplesHost } from "../support/examples.ts";
import { recap, sentence, summary } from "../support/runner-host.ts";
import { debianTree } from "../support/trees.ts";

const { root, run } = examplesHost();

describe("the examples", () => {
  test("bookworm and trixie update a Debian tree; the second run finds nothing to do", async () => {
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

  test("sid is made and maintained, or the message says that the archive is broken", async () => {
    const result = await run("ansible-playbook", "site.yml", "--limit", "sid");
    if (result.exitCode === 0) expect(summary(result, "sid")[0]).toBe("published");
    else expect(sentence(result, "sid")).toMatch(/: the archive('s dependencies cannot be satisfied| is out of date)/);
  });

  test("slim is made by a command, without documentation", async () => {
    const first = await run("ansible-playbook", "site.yml", "--limit", "slim");
    expect(sentence(first, "slim")).toBe("");
    expect(summary(first, "slim")[0]).toBe("published");
    expect((await stat(join(root, "slim/usr/share/doc/bash/copyright"))).isFile()).toBe(true);
    await expect(stat(join(root, "slim/usr/share/doc/bash/README.gz"))).rejects.toThrow();
    const second = await run("ansible-playbook", "site.yml", "--limit", "slim");
    expect(summary(second, "slim").slice(0, 2)).toEqual(["unchanged", "0"]);
  });
});

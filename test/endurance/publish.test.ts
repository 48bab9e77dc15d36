// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A publish and a rollback are interrupted at each step, and so is the recovery.

import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { pythonEnvironment } from "../support/image-host.ts";
import { loopFileSystem } from "../support/loop.ts";

const megabytes = { ext4: 64, btrfs: 400, xfs: 320 } as const;

describe.each(["ext4", "btrfs", "xfs"] as const)("on %s, at each step of a swap and of the recovery", (kind) => {
  test.each([
    ["the process is killed", "kill"],
    ["writing fails from then on", "full"],
  ])("%s: the old tree or the new tree, and nothing lost", async (_what, how) => {
    const mount = await loopFileSystem(kind, megabytes[kind]);
    for (const scenario of ["first", "publish", "unrecorded", "rollback"]) {
      // With each step of the swap every sixth step of the recovery, another sixth each time.
      const argv = [join(import.meta.dirname, "crash.py"), mount, scenario, how, "6"];
      const { stdout } = await execa("/usr/bin/python3", argv, { env: pythonEnvironment(), cwd: "/" });
      expect(JSON.parse(stdout).steps).toBeGreaterThan(10);
    }
  });
});

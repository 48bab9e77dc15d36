// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { chroot, smallArchive } from "../support/create-host.ts";
import { scratch } from "../support/scratch.ts";

/** Hides a program from a command, as if the host did not have the program. */
function without(program: string): readonly string[] {
  const hide = `mount --bind /dev/null "$(command -v ${program})"`;
  return ["unshare", "--mount", "/bin/sh", "-c", `PATH="$PATH:/usr/sbin:/sbin"; ${hide} && exec "$@"`, "sh"];
}

test("a host without systemd-nspawn", async () => {
  const root = join(scratch(), "root");
  for (const check of [true, false]) {
    const params = { name: "x", root, suite: "bookworm" };
    expect(await chroot(params, { check, under: without("systemd-nspawn") })).toMatchObject({
      exitCode: 2,
      msg: "systemd-nspawn is not installed: run apt install systemd-container",
    });
  }
  expect(existsSync(root)).toBe(false);
});

test("an archive whose compression the host lacks", async () => {
  const directory = scratch();
  const tarball = await smallArchive(directory, "x.tar.zst");
  const result = await chroot({ name: "x", root: join(directory, "root"), tarball }, { under: without("zstd") });
  expect(result.msg).toBe(`${tarball} is compressed by zstd, which is not installed: run apt install zstd`);
});

test("ansible-doc shows options, examples and results", async () => {
  const { exitCode, stdout } = await ansible("ansible-doc", ["nspawn.runner.chroot", "--json"], { cwd: "/" });
  const { doc, examples, return: results } = JSON.parse(stdout)["nspawn.runner.chroot"];
  expect(exitCode).toBe(0);
  expect(doc.options).toHaveProperty("tarball");
  expect(examples).toContain("nspawn.runner.chroot:");
  expect(Object.keys(results).sort()).toEqual(["bootstrap", "msg", "path"]);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { chroot, smallArchive } from "../support/create-host.ts";
import { scratch } from "../support/scratch.ts";

/** Hides these programs from a command, as if the host had none of them. */
function without(...programs: string[]): readonly string[] {
  const hide = programs.map((program) => `mount --bind /dev/null "$(command -v ${program})"`).join(" && ");
  return ["unshare", "--mount", "/bin/sh", "-c", `PATH="$PATH:/usr/sbin:/sbin"; ${hide} && exec "$@"`, "sh"];
}

test.each([
  [["mmdebstrap", "debootstrap"], {}, "mmdebstrap or debootstrap is not installed: run apt install mmdebstrap"],
  [["debootstrap"], { bootstrap: "debootstrap" }, "debootstrap is not installed: run apt install debootstrap"],
  [["systemd-nspawn"], {}, "systemd-nspawn is not installed: run apt install systemd-container"],
])("a host without %s", async (programs, params, message) => {
  const root = join(scratch(), "root");
  for (const check of [true, false]) {
    const result = await chroot(
      { name: "x", root, suite: "bookworm", ...params },
      { check, under: without(...programs) },
    );
    expect(result).toMatchObject({ exitCode: 2, msg: message });
  }
  expect(existsSync(root)).toBe(false);
});

test("without mmdebstrap, debootstrap is used", async () => {
  const params = { name: "x", root: join(scratch(), "root"), suite: "bookworm" };
  const result = await chroot(params, { check: true, under: without("mmdebstrap") });
  expect(result).toMatchObject({ exitCode: 0, changed: true, bootstrap: "debootstrap" });
});

test("an archive whose compression the host lacks", async () => {
  const directory = scratch();
  const tarball = await smallArchive(directory, "x.tar.zst");
  const result = await chroot({ name: "x", root: join(directory, "root"), tarball }, { under: without("zstd") });
  expect(result.msg).toBe(`${tarball} is compressed by zstd, which is not installed: run apt install zstd`);
});

test("values that the bootstrap tool would read as options of its own", async () => {
  const root = join(scratch(), "root");
  const messages = {
    suite: ["--mode=chrootless", "'--mode=chrootless' is not the name of a suite: give a name such as 'trixie'"],
    mirror: ["--hook=x", "the mirror '--hook=x' is not a URL: give a URL such as https://mirror.example.org/debian"],
    keyring: [
      "/nowhere.gpg",
      "the keyring /nowhere.gpg does not exist: correct the path, or install the package that contains the keyring",
    ],
    architecture: ["--x", "'--x' in architecture is not one word: give words without spaces and commas"],
  };
  for (const [option, [value, message]] of Object.entries(messages)) {
    const result = await chroot({ name: "x", root, suite: "bookworm", [option]: value }, { check: true });
    expect(result.msg).toBe(message);
  }
  const both = await chroot({ name: "x", root, command: ["true"], tarball: "/x.tar" }, { check: true });
  expect(both.msg).toMatch(/^both a command and a tarball are given/);
});

test("ansible-doc shows options, examples and results", async () => {
  const { exitCode, stdout } = await ansible("ansible-doc", ["nspawn.runner.chroot", "--json"], { cwd: "/" });
  const { doc, examples, return: results } = JSON.parse(stdout)["nspawn.runner.chroot"];
  expect(exitCode).toBe(0);
  expect(doc.options).toHaveProperty("tarball");
  expect(examples).toContain("nspawn.runner.chroot:");
  expect(Object.keys(results).sort()).toEqual(["bootstrap", "msg", "path"]);
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, test } from "vitest";
import { chroot, smallArchive, stateOf } from "../support/create-host.ts";
import { contents } from "../support/listing.ts";
import { scratch } from "../support/scratch.ts";

const directory = scratch("file");
const root = join(directory, "root");
let archive: string;
let sum: string;

beforeAll(async () => {
  archive = await smallArchive(directory);
  sum = createHash("sha256").update(readFileSync(archive)).digest("hex");
});

/** The image has no tree, and no incomplete tree. */
function expectNothing(name: string): void {
  expect(existsSync(join(root, name))).toBe(false);
  expect(stateOf(root, name).filter((entry) => entry !== "lock")).toEqual([]);
}

test.each([".tar", ".tar.gz", ".tar.xz", ".tar.zst"])("%s is unpacked, under any file name", async (suffix) => {
  const base = scratch();
  const named = await smallArchive(base, `x${suffix}`);
  await execa("mv", [named, join(base, "archive")]);
  const name = suffix.replaceAll(".", "_");
  const made = await chroot({ name, root, tarball: join(base, "archive") });
  expect(made).toMatchObject({ exitCode: 0, changed: true, bootstrap: "tarball" });
  expect(lstatSync(join(root, name, "usr/bin/busybox")).isFile()).toBe(true);
  expect(lstatSync(join(root, name, "etc/machine-id")).size).toBe(0);
  // The container that tries the shell leaves nothing.
  const all = async (tree: string) =>
    (await contents(tree)).split("\n").filter((line) => line !== "" && !line.includes("machine-id"));
  expect(await all(join(root, name))).toEqual(await all(join(base, "small")));
});

test("a second run changes nothing, recreate makes the tree again, absent removes the tree", async () => {
  const params = { name: "again", root, tarball: archive, checksum: `sha256:${sum}` };
  expect((await chroot(params)).changed).toBe(true);
  const first = statSync(join(root, "again")).ino;
  expect(await chroot(params)).toMatchObject({ exitCode: 0, changed: false });
  expect(await chroot({ ...params, recreate: true }, { check: true })).toMatchObject({ changed: true });
  expect(statSync(join(root, "again")).ino).toBe(first);
  expect(await chroot({ ...params, recreate: true })).toMatchObject({ exitCode: 0, changed: true });
  expect(statSync(join(root, "again")).ino).not.toBe(first);
  expect(stateOf(root, "again")).toEqual(["lock"]);
  expect(await chroot({ name: "again", root, state: "absent" }, { check: true })).toMatchObject({ changed: true });
  expect(existsSync(join(root, "again"))).toBe(true);
  expect(await chroot({ name: "again", root, state: "absent" })).toMatchObject({ exitCode: 0, changed: true });
  expectNothing("again");
  expect(readdirSync(join(root, ".nspawn-runner"))).not.toContain("again");
  expect(await chroot({ name: "again", root, state: "absent" })).toMatchObject({ exitCode: 0, changed: false });
});

test("a wrong checksum makes nothing, in check mode too", async () => {
  const checksum = `sha256:${"0".repeat(64)}`;
  for (const check of [true, false]) {
    const result = await chroot({ name: "sum", root, tarball: archive, checksum }, { check });
    expect(result.msg).toBe(
      `checksum mismatch of ${archive}: expected ${checksum}, got sha256:${sum}: replace the archive, or correct the checksum`,
    );
    expect(result.exitCode).toBe(2);
  }
  expectNothing("sum");
});

test("a file that is no archive, and an archive that is cut off", async () => {
  await writeFile(join(directory, "text"), "no archive\n".repeat(1000));
  await writeFile(join(directory, "cut"), readFileSync(archive).subarray(0, 100_000));
  await execa("mkfifo", [join(directory, "fifo")]);
  for (const file of ["text", "cut"]) {
    const result = await chroot({ name: "bad", root, tarball: join(directory, file) });
    expect(result.msg).toMatch(new RegExp(`^${join(directory, file)} is not a whole tar archive`));
  }
  const missing = await chroot({ name: "bad", root, tarball: join(directory, "missing") });
  expect(missing.msg).toBe(`the archive ${join(directory, "missing")} does not exist: correct its path`);
  const fifo = await chroot({ name: "bad", root, tarball: join(directory, "fifo") });
  expect(fifo.msg).toBe(`the archive ${join(directory, "fifo")} is not a regular file: correct its path`);
  expectNothing("bad");
});

describe("hostile archives never leave the new tree", () => {
  // Each value is a Python program that adds members to the archive `t` of a good tree. The directory `outside` must not change.
  const members = {
    "an absolute name": "add(outside + '/owned')",
    "a name with ..": "add('../../../../outside/owned')",
    "a link out and a path through it": "add('way', SYMTYPE, outside); add('way/owned')",
    "a link by .. and a path through it": "add('way', SYMTYPE, '../../../../outside'); add('way/owned')",
    "a hard link out": "add('hard', LNKTYPE, outside + '/kept'); add('hard', content=b'owned')",
    "etc as a link out": "add('etc', SYMTYPE, outside)",
    "machine-id as a link out": "add('etc/machine-id', SYMTYPE, outside + '/kept')",
    "a name of a megabyte": "add('x/' * 500000 + 'y')",
  };

  test.each(Object.entries(members))("%s", async (_what, program) => {
    const base = scratch();
    const outside = join(base, "outside");
    await execa("mkdir", [outside]);
    await writeFile(join(outside, "kept"), "kept");
    await hostile(base, program);
    const result = await chroot({ name: "hostile", root: join(base, "root"), tarball: join(base, "hostile.tar") });
    expect(readdirSync(outside)).toEqual(["kept"]);
    expect(readFileSync(join(outside, "kept"), "utf8")).toBe("kept");
    expect(readdirSync(base).sort()).toEqual(["hostile.tar", "outside", "root", "small", "small.tar"]);
    expect(stateOf(join(base, "root"), "hostile").filter((name) => name !== "lock")).toEqual([]);
    if (result.exitCode !== 0) expect(existsSync(join(base, "root/hostile"))).toBe(false);
  });

  test("devices are removed but for the harmless ones, FIFOs stay", async () => {
    const base = scratch();
    const nodes = [
      "add('dev/sda', BLKTYPE, device=(8, 0))",
      "add('dev/mem', CHRTYPE, device=(1, 1))",
      "add('srv/[a]\\n', CHRTYPE, device=(1, 1))",
      "add('dev/null', CHRTYPE, device=(1, 3))",
      "add('dev/pipe', FIFOTYPE)",
    ];
    await hostile(base, nodes.join(";"));
    expect(
      (await chroot({ name: "nodes", root: join(base, "root"), tarball: join(base, "hostile.tar") })).exitCode,
    ).toBe(0);
    expect(readdirSync(join(base, "root/nodes/dev")).sort()).toEqual(["null", "pipe"]);
    expect(readdirSync(join(base, "root/nodes/srv"))).toEqual([]);
  });
});

/** Writes hostile.tar: a good tree, and the members that the program adds. */
async function hostile(base: string, program: string): Promise<void> {
  await smallArchive(base);
  const python = `
import io, tarfile
from tarfile import BLKTYPE, CHRTYPE, FIFOTYPE, LNKTYPE, REGTYPE, SYMTYPE, TarInfo
outside = ${JSON.stringify(join(base, "outside"))}
with tarfile.open(${JSON.stringify(join(base, "small.tar"))}) as good, tarfile.open(${JSON.stringify(join(base, "hostile.tar"))}, "w", format=tarfile.PAX_FORMAT) as t:
    def add(name, kind=REGTYPE, link="", content=b"", device=(0, 0)):
        m = TarInfo(name); m.type = kind; m.linkname = link; m.size = len(content); m.mode = 0o644; m.devmajor, m.devminor = device
        t.addfile(m, io.BytesIO(content))
    for m in good:
        t.addfile(m, good.extractfile(m) if m.isfile() else None)
    ${program}
`;
  await execa("python3", ["-"], { input: python });
}

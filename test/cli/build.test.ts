// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `build` and `lint`, as a developer calls both.

import { chmod, cp, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, expect, test } from "vitest";
import { cli } from "../support/cli.ts";
import { modelCheckout } from "../support/model.ts";
import { files, scratch } from "../support/scratch.ts";

const artifact = "dist/acme-boxes-1.2.3.tar.gz";

/** A checkout with a model and the generated files. */
const generated = scratch("file");

beforeAll(async () => {
  await modelCheckout(generated);
  await cli(generated, ["generate"]);
});

/** The same with a hand-written part. */
async function checkout(extra: Record<string, string> = {}): Promise<string> {
  const directory = scratch();
  await cp(generated, directory, { recursive: true });
  await files(directory, {
    LICENSE: "Free.\n",
    "collection/README.md": "# Boxes\n",
    "collection/playbooks/files/wrapper": "#!/bin/sh\ntrue\n",
    "collection/plugins/module_utils/_hand.py": "HAND = 1\n",
    "collection/plugins/module_utils/__pycache__/_hand.cpython-311.pyc": "x",
    ...extra,
  });
  await chmod(join(directory, "collection/playbooks/files/wrapper"), 0o755);
  return directory;
}

/** Checksums of an artifact's files, by path. */
async function checksums(path: string): Promise<Record<string, string>> {
  const { stdout } = await execa("tar", ["--extract", "--to-stdout", "--file", path, "FILES.json"]);
  const { files } = JSON.parse(stdout) as { files: { name: string; chksum_sha256: string | null }[] };
  return Object.fromEntries(files.map(({ name, chksum_sha256 }) => [name, chksum_sha256 ?? "directory"]));
}

test("the generated and the hand-written half and the licence are put together, with the same result each time", async () => {
  const first = await checkout();
  expect(await cli(first, ["build"])).toEqual({ exitCode: 0, stdout: artifact, stderr: "" });
  const sums = await checksums(join(first, artifact));
  expect(Object.keys(sums)).toEqual(
    expect.arrayContaining([
      "LICENSE",
      "README.md",
      "meta/runtime.yml",
      "plugins/module_utils/_hand.py",
      "plugins/module_utils/_spec/layout.py",
    ]),
  );
  expect(Object.keys(sums).filter((name) => name.includes("pyc"))).toEqual([]);

  const second = join(scratch(), "clone");
  await cp(first, second, { recursive: true });
  await cli(second, ["build"]);
  expect(await checksums(join(second, artifact))).toEqual(sums);
});

test("two builds of one commit are the same bytes, and hold no file that git does not know", async () => {
  const first = await checkout();
  const commands = [
    ["init", "--quiet"],
    ["add", "--all"],
    ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=a"],
  ];
  for (const args of commands) await execa("git", args, { cwd: first });
  const second = join(scratch(), "clone");
  await execa("git", ["clone", "--quiet", first, second]);
  await files(first, {
    "collection/.env": "TOKEN=1\n",
    "collection/plugins/modules/.box.py.swp": "x",
  });
  // Files of another time and mode, made in another order.
  await execa("touch", ["--date=2001-01-01", join(second, "collection/README.md")]);
  await chmod(join(second, "LICENSE"), 0o600);
  const [one, other] = [await cli(first, ["build"]), await cli(second, ["build"])];
  expect(one.stdout.split("\n")).toEqual([
    "collection/.env is left out: git does not know it.",
    "collection/plugins/modules/.box.py.swp is left out: git does not know it.",
    artifact,
  ]);
  expect(other).toEqual({ exitCode: 0, stdout: artifact, stderr: "" });
  expect(Object.keys(await checksums(join(first, artifact))).filter((name) => /env|swp/.test(name))).toEqual([]);
  expect((await readFile(join(second, artifact))).equals(await readFile(join(first, artifact)))).toBe(true);
});

test("run bits survive installation", async () => {
  const directory = await checkout();
  await cli(directory, ["build"]);
  const target = join(directory, "installed");
  await execa("ansible-galaxy", ["collection", "install", "--collections-path", target, join(directory, artifact)]);
  const mode = async (path: string) => (await stat(join(target, "ansible_collections/acme/boxes", path))).mode & 0o111;
  expect(await mode("playbooks/files/wrapper")).toBe(0o111);
  expect(await mode("playbooks/files/nspawn-flags.sh")).toBe(0);
  expect(await mode("plugins/module_utils/_hand.py")).toBe(0);
});

test("a removed file leaves the next build, an old version leaves dist", async () => {
  const directory = await checkout();
  await cli(directory, ["build"]);
  await writeFile(join(directory, "dist/acme-boxes-1.0.0.tar.gz"), "");
  await execa("rm", [join(directory, "collection/plugins/module_utils/_hand.py")]);
  await cli(directory, ["build"]);
  expect(Object.keys(await checksums(join(directory, artifact)))).not.toContain("plugins/module_utils/_hand.py");
  await expect(stat(join(directory, "dist/acme-boxes-1.0.0.tar.gz"))).rejects.toThrow("ENOENT");
});

test("the same path in both halves", async () => {
  const directory = await checkout({ "collection/meta/runtime.yml": "x\n" });
  expect(await cli(directory, ["build"])).toEqual({
    exitCode: 1,
    stdout:
      "collection/meta/runtime.yml and generated/collection/meta/runtime.yml are the same file of the collection: remove one.",
    stderr: "",
  });
});

test("a link in the sources", async () => {
  const directory = await checkout();
  await symlink("/etc/passwd", join(directory, "collection/passwd"));
  expect(await cli(directory, ["build"])).toMatchObject({
    exitCode: 1,
    stdout: "collection/passwd is not a regular file.",
  });
});

test("generated files that are out of date", async () => {
  const directory = await checkout();
  await writeFile(join(directory, "generated/spec.json"), "{}");
  expect(await cli(directory, ["build"])).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("npm run generate"),
  });
});

test("without ansible-galaxy", async () => {
  const directory = await checkout();
  expect(await cli(directory, ["build"], { PATH: "/nonexistent" })).toEqual({
    exitCode: 2,
    stdout: "",
    stderr: "ansible-galaxy: not installed. It comes with Debian's package ansible-core.",
  });
});

test("when ansible-galaxy fails, the message is shown and the old artifact stays", async () => {
  const directory = await checkout();
  await cli(directory, ["build"]);
  const before = await readFile(join(directory, artifact));
  const bin = join(directory, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "ansible-galaxy"), "#!/bin/sh\necho 'ERROR! The disk is full.' >&2\nexit 5\n", {
    mode: 0o755,
  });
  const { exitCode, stderr } = await cli(directory, ["build"], { PATH: `${bin}:${process.env.PATH}` });
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/^ansible-galaxy collection build .*: exit code 5\nERROR! The disk is full\.$/);
  expect(await readFile(join(directory, artifact))).toEqual(before);
});

test("lint names the file and the line of broken Python and sh, and a missing checker", async () => {
  const directory = await checkout({
    "collection/plugins/module_utils/_broken.py": "x = 1\ny = (\n",
    "collection/playbooks/files/broken.sh": "#!/bin/sh\nif true; then\n",
  });
  const { exitCode, stdout } = await cli(directory, ["lint"]);
  expect(exitCode).toBe(1);
  expect(stdout).toContain("collection/plugins/module_utils/_broken.py:2: '(' was never closed");
  expect(stdout).toContain("collection/playbooks/files/broken.sh line 2");
  expect(stdout).toContain("shellcheck: failed");
  const without = await cli(directory, ["lint"], { PATH: "/nonexistent", CI: "true" });
  expect(without.exitCode).toBe(1);
  expect(without.stdout).toContain(
    "shellcheck: skipped. shellcheck: not installed. It comes with Debian's package shellcheck.",
  );
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Archive, archive } from "../support/archive.ts";
import { chroot } from "../support/create-host.ts";
import { container } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";

const root = join(scratch("file"), "root");
const env = { no_proxy: "127.0.0.1" };
let own: Archive;

beforeAll(async () => {
  own = await archive();
  // debootstrap knows suites by their names.
  await own.suite("bookworm", "bookworm");
  await own.suite("own", "bookworm");
  await own.pocket("debian", "own-updates", { "only-in-updates": "1", netbase: "98" });
  await own.pocket("debian-security", "own-security", { netbase: "99" });
  await own.pocket("debian-security", "bookworm-security", { netbase: "99", "only-in-security": "2" });
});

afterAll(() => own.close());

/** Versions of these packages in the tree. */
function versions(tree: string, ...names: string[]): (string | undefined)[] {
  const status = readFileSync(join(tree, "var/lib/dpkg/status"), "utf8").split("\n\n");
  return names.map((name) => {
    const entry = status.find((paragraph) => paragraph.startsWith(`Package: ${name}\nStatus: install ok installed\n`));
    return entry && /^Version: (.*)$/m.exec(entry)?.[1];
  });
}

const sourcesOf = (tree: string) => readFileSync(join(tree, "etc/apt/sources.list"), "utf8").split("\n").slice(0, -1);

/** apt in a container on the tree trusts the repositories, and finds nothing newer. */
async function expectUpToDate(tree: string): Promise<void> {
  const script =
    "apt-get -o APT::Update::Error-Mode=any update >&2 && apt-get --just-print full-upgrade | grep -c ^Inst; rm -rf /var/lib/apt/lists/*_*";
  const [program = "", ...args] = container(tree, "/bin/sh", "-c", script);
  const { stdout, stderr } = await execa(program, args, { reject: false });
  expect(stdout.trim(), stderr).toBe("0");
}

test("mmdebstrap: packages come from the suite, its updates and its security updates on the mirror", async () => {
  const params = { name: "own", root, suite: "own", mirror: own.mirror, keyring: own.keyring };
  const made = await chroot({ ...params, packages: ["netbase", "only-in-updates"] }, { env });
  expect(made).toMatchObject({ exitCode: 0, changed: true, bootstrap: "mmdebstrap" });
  const tree = join(root, "own");
  expect(versions(tree, "netbase", "only-in-updates")).toEqual(["99", "1"]);
  const key = '[signed-by="/etc/apt/keyrings/nspawn-runner-base.gpg"]';
  expect(sourcesOf(tree)).toEqual([
    `deb ${key} ${own.url} own main`,
    `deb ${key} ${own.url} own-updates main`,
    `deb ${key} ${own.url}-security own-security main`,
  ]);
  expect(readFileSync(join(tree, "etc/apt/keyrings/nspawn-runner-base.gpg"))).toEqual(readFileSync(own.keyring));
  const login = join(tree, "etc/apt/auth.conf.d/nspawn-runner.conf");
  expect(statSync(login).mode & 0o777).toBe(0o600);
  expect(readFileSync(login, "utf8")).toContain(`machine ${own.url}-security login me password s3cret\n`);
  await expectUpToDate(tree);
});

test("debootstrap: an upgrade in a container brings the packages of the other repositories", async () => {
  const repositories = [
    { name: "base", url: own.mirror },
    { name: "fixes", url: own.mirror.replace(/$/, "-security"), suite: "bookworm-security", components: ["main"] },
  ];
  const params = { name: "byname", root, suite: "bookworm", bootstrap: "debootstrap", repositories };
  const packages = ["netbase", "only-in-security"];
  const made = await chroot({ ...params, keyring: own.keyring, packages }, { env });
  expect(made).toMatchObject({ exitCode: 0, changed: true, bootstrap: "debootstrap" });
  expect(JSON.stringify(made)).not.toContain("s3cret");
  const tree = join(root, "byname");
  expect(versions(tree, "netbase", "only-in-security")).toEqual(["99", "2"]);
  expect(sourcesOf(tree).map((line) => line.split(" ").slice(2))).toEqual([
    [own.url, "bookworm", "main"],
    [`${own.url}-security`, "bookworm-security", "main"],
  ]);
  await expectUpToDate(tree);
});

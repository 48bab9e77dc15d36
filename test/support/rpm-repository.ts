// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A repository of rpm packages, signed by a key of its own: one package with a tree of busybox, the others empty.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { scratch } from "./scratch.ts";
import { busyboxTree } from "./trees.ts";

export interface RpmRepository {
  readonly directory: string;
  /** File with the key of the packages. */
  readonly key: string;
  /** Adds a package, with the busybox tree or empty. */
  add(name: string, version: string, tree?: boolean): Promise<void>;
  /** Writes the list of the packages. */
  publish(): Promise<void>;
}

export async function rpmRepository(): Promise<RpmRepository> {
  const base = scratch("file");
  const [home, directory, payload] = [join(base, "gnupg"), join(base, "repository"), join(base, "payload")];
  await mkdir(home, { mode: 0o700 });
  await mkdir(directory);
  await busyboxTree(payload);
  await writeFile(join(payload, "etc/os-release"), 'ID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora Linux 43"\n');
  const gpg = (...args: string[]) => execa("gpg", ["--homedir", home, "--batch", "--passphrase", "", ...args]);
  await gpg("--quick-generate-key", "fedora@example.org", "rsa3072", "sign", "never");
  const key = join(base, "key.asc");
  await gpg("--armor", "--output", key, "--export");
  const defines = Object.entries({
    _topdir: join(base, "build"),
    _dbpath: join(base, "database"),
    _rpmdir: directory,
    __os_install_post: "%{nil}",
    debug_package: "%{nil}",
    _build_id_links: "none",
    // Debian's macro names a program that Debian does not have.
    __gpg: "/usr/bin/gpg",
    _gpg_path: home,
    _gpg_name: "fedora@example.org",
  }).flatMap(([name, value]) => ["--define", `${name} ${value}`]);
  return {
    directory,
    key,
    async add(name, version, tree = false) {
      const fields = [`Name: ${name}`, `Version: ${version}`, "Release: 1.fc43", "Summary: x", "License: GPL"];
      const sections = ["AutoReqProv: no", "%description", "x", "%install", "mkdir -p %{buildroot}"];
      const content = tree ? [`cp -a ${payload}/. %{buildroot}`, "%files", "/*"] : ["%files"];
      const spec = join(base, `${name}.spec`);
      await writeFile(spec, [...fields, ...sections, ...content, ""].join("\n"));
      await execa("rpmbuild", [...defines, "-bb", spec]);
      const built = join(directory, "x86_64", `${name}-${version}-1.fc43.x86_64.rpm`);
      await execa("rpmsign", [...defines, "--addsign", built], { env: { GNUPGHOME: home } });
    },
    publish: async () => void (await execa("createrepo_c", ["--quiet", directory])),
  };
}

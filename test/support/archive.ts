// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A package archive on loopback, signed by a key of its own: suites with the package lists of Debian's archive, and pockets of small packages.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { files, scratch } from "./scratch.ts";

export interface Archive {
  /** With a login. */
  readonly mirror: string;
  /** The same without the login. */
  readonly url: string;
  readonly keyring: string;
  /** Directory whose files the server gives. */
  readonly directory: string;
  readonly login: { readonly user: string; readonly password: string };
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  /** A suite with the packages of a real suite, under another name. */
  suite(name: string, of: string): Promise<void>;
  /** A suite with packages in a directory beside the mirror: name to version. All have these programs, by default none: path to text. */
  pocket(
    directory: string,
    name: string,
    packages: Readonly<Record<string, string>>,
    programs?: Readonly<Record<string, string>>,
  ): Promise<void>;
  close(): void;
}

const login = { user: "me", password: "s3cret" };
const LOGIN = `${login.user}:${login.password}`;

/** Debian's archive, as apt of this host uses it. */
async function origin(): Promise<string> {
  const { stdout } = await execa("apt-get", ["indextargets", "--format", "$(LABEL)|$(SITE)", "Created-By: Packages"]);
  const [, site] = /^Debian\|(\S+?)\/?$/m.exec(stdout) as unknown as [string, string];
  return site;
}

export async function archive(): Promise<Archive> {
  const root = scratch("file");
  const debian = await origin();
  const home = join(root, "gnupg");
  await mkdir(home, { mode: 0o700 });
  const gpg = (...args: string[]) => execa("gpg", ["--homedir", home, "--batch", "--yes", "--passphrase", "", ...args]);
  await gpg("--quick-generate-key", "archive@example.org", "rsa3072", "sign", "never");
  const keyring = join(root, "archive.gpg");
  await gpg("--output", keyring, "--export");
  const asked: string[] = [];
  const server = createServer(({ url = "", headers }, response) => {
    asked.push(url);
    const path = join(root, "www", decodeURIComponent(url));
    if (headers.authorization !== `Basic ${Buffer.from(LOGIN).toString("base64")}`)
      response.writeHead(401, { "WWW-Authenticate": "Basic realm=x" }).end();
    else if (existsSync(path)) response.end(readFileSync(path));
    else if (url.startsWith("/debian/pool/"))
      response.writeHead(302, { Location: `${debian}${url.slice("/debian".length)}` }).end();
    else response.writeHead(404).end();
  });
  const port = await listening(server);

  async function release(directory: string, name: string, packages: string | Buffer): Promise<void> {
    const path = join(root, "www", directory, "dists", name);
    const list = "main/binary-amd64/Packages";
    await mkdir(join(path, dirname(list)), { recursive: true });
    await writeFile(join(path, list), packages);
    const sum = createHash("sha256").update(packages).digest("hex");
    const size = Buffer.byteLength(packages);
    const fields = ["Origin: Debian", `Suite: ${name}`, `Codename: ${name}`, `Date: ${new Date().toUTCString()}`];
    // debootstrap overlooks the last line of a signed Release file.
    const sums = ["SHA256:", ` ${sum} ${size} ${list}`, "Acquire-By-Hash: no", ""];
    const text = [...fields, "Architectures: amd64", "Components: main", ...sums];
    await writeFile(join(path, "Release"), text.join("\n"));
    await gpg("--clearsign", "--output", join(path, "InRelease"), join(path, "Release"));
    await gpg("--armor", "--detach-sign", "--output", join(path, "Release.gpg"), join(path, "Release"));
  }

  return {
    mirror: `http://${LOGIN}@127.0.0.1:${port}/debian`,
    url: `http://127.0.0.1:${port}/debian`,
    keyring,
    directory: join(root, "www"),
    login,
    asked,
    async suite(name, of) {
      const list = await fetchList(`${debian}/dists/${of}/main/binary-amd64/Packages.xz`);
      await release("debian", name, list);
    },
    async pocket(directory, name, packages, programs = {}) {
      const built = join(root, "www", directory, "pool", name);
      for (const [one, version] of Object.entries(packages)) {
        const deb = join(root, "deb", name, one);
        await mkdir(join(deb, "DEBIAN"), { recursive: true });
        await mkdir(built, { recursive: true });
        await files(deb, programs);
        for (const program of Object.keys(programs)) await chmod(join(deb, program), 0o755);
        const fields = [`Package: ${one}`, `Version: ${version}`, "Architecture: all", "Description: is newer"];
        const control = [...fields, "Maintainer: nobody <nobody@example.org>", ""].join("\n");
        await writeFile(join(deb, "DEBIAN/control"), control);
        await execa("dpkg-deb", ["--root-owner-group", "--build", deb, join(built, `${one}_${version}_all.deb`)]);
      }
      const list = await execa("dpkg-scanpackages", [`pool/${name}`], { cwd: join(root, "www", directory) });
      await release(directory, name, `${list.stdout}\n`);
    },
    close: () => void server.close(),
  };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

async function fetchList(url: string): Promise<Buffer> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: HTTP status ${answer.status}`);
  const { stdout } = await execa("xz", ["--decompress", "--stdout"], {
    input: new Uint8Array(await answer.arrayBuffer()),
    encoding: "buffer",
    maxBuffer: 256 << 20,
  });
  return Buffer.from(stdout);
}

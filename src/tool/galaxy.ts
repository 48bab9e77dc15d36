// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// ansible-galaxy: builds the artifact of a collection's directory.

import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "./run.ts";

/** Writes NAMESPACE-NAME-VERSION.tar.gz into the empty output directory. The same collection gives the same bytes. */
export async function buildArtifact(collection: string, output: string): Promise<void> {
  await run("ansible-galaxy", ["collection", "build", "--force", "--output-path", output, collection], {
    from: "Debian's package ansible-core",
    env: { ANSIBLE_NOCOLOR: "1" },
  });
  for (const name of await readdir(output)) await normalise(resolve(output, name));
}

interface FileList {
  readonly files: readonly { readonly name: string }[];
}

interface Manifest {
  readonly file_manifest_file: Readonly<Record<string, unknown>>;
}

/** Packs an artifact again: ansible-galaxy lists the files in the order of the file system, with the build's time and the builder's name. */
async function normalise(artifact: string): Promise<void> {
  const contents = await mkdtemp(`${artifact}.contents-`);
  const tar = (...args: string[]) => run("tar", args, { cwd: contents, from: "Debian's package tar" });
  try {
    await tar("--extract", "--preserve-permissions", "--file", artifact);
    const list: FileList = JSON.parse(await readFile(join(contents, "FILES.json"), "utf8"));
    const files = list.files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const text = jsonText({ ...list, files });
    await writeFile(join(contents, "FILES.json"), text);
    const manifest: Manifest = JSON.parse(await readFile(join(contents, "MANIFEST.json"), "utf8"));
    const chksum_sha256 = createHash("sha256").update(text).digest("hex");
    const listed = { ...manifest, file_manifest_file: { ...manifest.file_manifest_file, chksum_sha256 } };
    await writeFile(join(contents, "MANIFEST.json"), jsonText(listed));
    const members = ["MANIFEST.json", "FILES.json", ...files.map(({ name }) => name).filter((name) => name !== ".")];
    const plain = ["--format=ustar", "--mtime=@0", "--owner=root:0", "--group=root:0", "--no-recursion"];
    const gzip = "--use-compress-program=gzip --no-name";
    await tar("--create", ...plain, gzip, "--file", artifact, "--", ...members);
  } finally {
    await rm(contents, { recursive: true, force: true });
  }
}

const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;

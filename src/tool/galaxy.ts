// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// ansible-galaxy: builds the artifact of a collection's directory.

import { run } from "./run.ts";

/** Writes NAMESPACE-NAME-VERSION.tar.gz into the output directory, over an older one. */
export async function buildArtifact(collection: string, output: string): Promise<void> {
  await run("ansible-galaxy", ["collection", "build", "--force", "--output-path", output, collection], {
    from: "Debian's package ansible-core",
    env: { ANSIBLE_NOCOLOR: "1" },
  });
}

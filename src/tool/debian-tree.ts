// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Debian trees with the packages that the collection gives a new image.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { basePackages } from "../model/bootstrap-tools.ts";
import { debian, type Suite } from "./mmdebstrap.ts";

/** A third of a tree's files, which tests copy often and never read. */
const unread = ["doc", "locale", "man"].map((directory) => `--dpkgopt=path-exclude=/usr/share/${directory}/*`);

/** With the data of the host, and the options of dpkg: packages that a test installs come whole. */
const removed = ["etc/hostname", "etc/resolv.conf", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"];

/** The cached tree of a suite. It is shared: copy it, never change it. */
export function debianSource(suite: Suite = "bookworm"): Promise<string> {
  return debian("tree", suite, [...unread, `--include=${basePackages.join(",")}`], async (tree) => {
    for (const file of removed) await rm(join(tree, file), { force: true });
  });
}

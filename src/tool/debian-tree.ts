// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Debian trees with the packages that the collection gives a new image.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { basePackages } from "../model/bootstrap-tools.ts";
import { debian, type Suite } from "./mmdebstrap.ts";

/** The cached tree of a suite. It is shared: copy it, never change it. */
export function debianSource(suite: Suite = "bookworm"): Promise<string> {
  return debian("tree", suite, [`--include=${basePackages.join(",")}`], async (tree) => {
    for (const file of ["etc/hostname", "etc/resolv.conf"]) await rm(join(tree, file), { force: true });
  });
}

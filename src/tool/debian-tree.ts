// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Debian trees such as a creation makes them.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { basePackages } from "../model/bootstrap-tools.ts";
import { debian, type Suite } from "./mmdebstrap.ts";

/** It is shared, and not to be changed. */
export function debianSource(suite: Suite = "bookworm"): Promise<string> {
  return debian("tree", suite, [`--include=${basePackages.join(",")}`], async (tree) => {
    for (const file of ["etc/hostname", "etc/resolv.conf"]) await rm(join(tree, file), { force: true });
  });
}

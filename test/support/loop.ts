// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { type FileSystem, mountLoopFile } from "../../src/tool/loop-file.ts";
import { scratch } from "./scratch.ts";

export type { FileSystem };

/** Mounts a new file system of so many mebibytes until the test ends, and returns the mount point. xfs takes 300 at least. */
export const loopFileSystem = (kind: FileSystem, mebibytes: number): Promise<string> =>
  mountLoopFile(scratch(), kind, mebibytes);

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/ignored.py`: paths whose changes alone do not cause a publish.

import type { Spec } from "../ir/spec.ts";
import type { IgnoredPath } from "../ir/tables.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function ignoredFile({ ignored_paths }: Spec): string {
  const paths = (meant: (row: IgnoredPath) => boolean) =>
    tuple(ignored_paths.rows.filter(meant).map(({ path }) => path));
  return pythonModule(
    [ignored_paths.source],
    "Paths whose changes alone do not cause a publish.",
    [
      "# Files and directories, relative to the tree's root; a directory means everything in the directory.\n",
      assignment(
        "IGNORED",
        "tuple[str, ...]",
        paths(({ anywhere, files }) => !anywhere && !files),
      ),
      "\n# Directories whose files are meant, but not the directories in them.\n",
      assignment(
        "IGNORED_FILES",
        "tuple[str, ...]",
        paths(({ files }) => files),
      ),
      "\n# Ends of paths anywhere in the tree; * stands for one name.\n",
      assignment(
        "IGNORED_ANYWHERE",
        "tuple[str, ...]",
        paths(({ anywhere }) => anywhere),
      ),
    ].join(""),
  );
}

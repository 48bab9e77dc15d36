// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/ignored.py`: what of a tree makes no maintenance worth publishing.

import type { Spec } from "../ir/spec.ts";
import type { IgnoredPath } from "../ir/tables.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function ignoredFile({ ignored_paths }: Spec): string {
  const paths = (meant: (row: IgnoredPath) => boolean) =>
    tuple(ignored_paths.rows.filter(meant).map(({ path }) => path));
  return pythonModule(
    [ignored_paths.source],
    "What of a tree makes no maintenance worth publishing.",
    [
      "# Files and directories below the tree's root; of a directory, all that is in it.\n",
      assignment(
        "IGNORED",
        "tuple[str, ...]",
        paths(({ anywhere, files }) => !anywhere && !files),
      ),
      "\n# Directories of which only the files are meant, not the directories in them.\n",
      assignment(
        "IGNORED_FILES",
        "tuple[str, ...]",
        paths(({ files }) => files),
      ),
      "\n# Names of directories, wherever they stand.\n",
      assignment(
        "IGNORED_NAMES",
        "tuple[str, ...]",
        paths(({ anywhere }) => anywhere),
      ),
    ].join(""),
  );
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_ignored.py`: what of a tree makes no maintenance worth publishing.

import type { Spec } from "../ir/spec.ts";
import { assignment, tuple } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function ignoredFile({ ignored_paths }: Spec): string {
  const paths = (anywhere: boolean) =>
    tuple(ignored_paths.rows.filter((row) => row.anywhere === anywhere).map(({ path }) => path));
  return pythonModule(
    [ignored_paths.source],
    "What of a tree makes no maintenance worth publishing.",
    [
      "# Files and directories below the tree's root; of a directory, all that is in it.\n",
      assignment("IGNORED", "tuple[str, ...]", paths(false)),
      "\n# Names of directories, wherever they stand.\n",
      assignment("IGNORED_NAMES", "tuple[str, ...]", paths(true)),
    ].join(""),
  );
}

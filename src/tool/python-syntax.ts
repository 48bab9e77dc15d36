// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// python3: checks the syntax of files without writing bytecode.

import { type RunResult, run } from "./run.ts";

/** The oldest Python that the collection runs on. */
const OLDEST = [3, 9] as const;

const PROGRAM = `
import ast, sys
failed = False
for path in sys.stdin.read().split("\\0"):
    try:
        with open(path, "rb") as file:
            compile(ast.parse(file.read(), path, feature_version=(${OLDEST.join(", ")})), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        failed = True
        print(f"{path}:{getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', error)}")
sys.exit(failed)
`;

/** Exit code 1 and one line for each file with a syntax error, or with syntax of a newer Python. */
export const checkSyntax = (root: string, paths: readonly string[]): Promise<RunResult> =>
  run("python3", ["-c", PROGRAM], {
    cwd: root,
    input: paths.join("\0"),
    from: "Debian's package python3",
    answers: [0, 1],
  });

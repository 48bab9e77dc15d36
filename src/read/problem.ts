// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Mistakes in the model and their positions, in the form of tsc's messages.

import { relative } from "node:path";
import type { Node } from "ts-morph";

export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** The line of the source, and how many characters of it are marked. */
  readonly code: string;
  readonly length: number;
}

/** Records a mistake at a node. */
export type Report = (node: Node, message: string) => void;

/** All mistakes that were found in the model. */
export class SpecError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join("\n\n"));
    this.name = "SpecError";
    this.problems = problems;
  }
}

export function formatProblem({ file, line, column, message, code, length }: Problem): string {
  const heading = `${file}:${line}:${column} - error: ${message}`;
  const mark = " ".repeat(`${line} `.length + column - 1) + "~".repeat(Math.max(1, length));
  return code.trim() === "" ? heading : `${heading}\n\n${line} ${code}\n${mark}`;
}

/** A mistake at a position in a file. */
export function problemAt(file: string, text: string, start: number, end: number, message: string): Problem {
  const before = text.slice(0, start).split("\n");
  const column = (before.at(-1) ?? "").length + 1;
  const code = (text.split("\n")[before.length - 1] ?? "").replace(/\r$/, "");
  return { file, line: before.length, column, message, code, length: Math.min(end - start, code.length - column + 1) };
}

/** Collects the mistakes of one reading; the paths of files start at `root`. */
export function problemList(root: string): { readonly found: Problem[]; readonly report: Report } {
  const found: Problem[] = [];
  const report: Report = (node, message) => {
    const source = node.getSourceFile();
    const file = relative(root, source.getFilePath());
    found.push(problemAt(file, source.getFullText(), node.getStart(), node.getEnd(), message));
  };
  return { found, report };
}

/** Sorts by file name, then by line and column. */
export const byPosition = (a: Problem, b: Problem): number =>
  a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;

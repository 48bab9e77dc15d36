// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table that a benchmark returns and prints.

import type { Print } from "../tool/print.ts";

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Meaning of the figures, and promised limits. */
  readonly note: string;
}

export function printTable(name: string, { head, rows, note }: Table, print: Print): void {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? "").length)));
  print(`\n${name}`);
  for (const cells of lines) {
    // The first column is text, the others are figures.
    print(
      cells
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
        .join("  "),
    );
  }
  print(`${note}\n`);
}

/** The median; of an even number of values, the upper of the two in the middle. */
export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

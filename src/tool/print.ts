// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The output of a command: src/cli.ts gives the function, tests collect the lines.

/** Shows one line, or several lines in one text. */
export type Print = (line: string) => void;

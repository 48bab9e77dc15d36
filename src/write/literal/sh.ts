// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Words of POSIX sh: the one file that quotes for the shell.

/** A word that the shell leaves unchanged. */
export const shWord = (text: string): string =>
  /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** A word with `{placeholders}`, each replaced by a shell variable that must have a value. */
export const shTemplate = (template: string): string =>
  template
    .split(/(\{\w+\})/)
    .filter((part) => part !== "")
    .map((part) => (/^\{\w+\}$/.test(part) ? `"\${${part.slice(1, -1)}:?}"` : shWord(part)))
    .join("");

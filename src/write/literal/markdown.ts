// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Markdown: the one file that escapes for Markdown.

/** Prose of the model. Backticks mean code in Markdown too. */
export const mdText = (text: string): string =>
  text.replace(/`[^`]*`|[<>*\\]/g, (part) => (part.startsWith("`") ? part : `\\${part}`));

/** Code in a line. */
export function mdCode(text: string): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = longest > 0 ? " " : "";
  return `${fence}${pad}${text}${pad}${fence}`;
}

export const mdBlock = (language: string, text: string): string => `\`\`\`${language}\n${text.trimEnd()}\n\`\`\`\n`;

export function mdTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return [heading, heading.map(() => "---"), ...rows].map(line).join("");
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Prose of the model: sentences and paragraphs.

/** Paragraphs of a comment, each on one line. */
export const paragraphs = (text: string): string[] =>
  text
    .split(/\n[ \t]*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim())
    .filter((paragraph) => paragraph !== "");

/** Sentences of a paragraph. A period inside backticks, or before a small letter, does not end a sentence. */
export function sentences(paragraph: string): string[] {
  const masked = paragraph.replace(/`[^`]*`/g, (code) => `\`${"x".repeat(code.length - 2)}\``);
  const ends = [...masked.matchAll(/[.]\s+(?=[A-Z`"])/g)].map((match) => match.index + 1);
  return [...ends, paragraph.length].map((end, i) => paragraph.slice(ends[i - 1] ?? 0, end).trim());
}

/** The mistake in a piece of prose, or null. */
export function proseProblem(text: string): string | null {
  if (text === "") return "The text is empty.";
  if (!text.endsWith(".")) return `A sentence must end with a period: "${ending(text)}".`;
  if (text.split("`").length % 2 === 0) return `A backtick is not closed: "${ending(text)}".`;
  // Ansible's markup C(...) ends at the first closing parenthesis.
  const code = (text.match(/`[^`]*`/g) ?? []).find((one) => one.includes(")"));
  return code ? `A closing parenthesis is not allowed between backticks: ${code}.` : null;
}

const ending = (text: string): string => (text.length > 40 ? `...${text.slice(-37)}` : text);

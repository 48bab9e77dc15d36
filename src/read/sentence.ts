// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Prose of the model: sentences and paragraphs.

/** Paragraphs of a comment, each on one line. */
export const paragraphs = (text: string): string[] =>
  text
    .split(/\n[ \t]*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim())
    .filter((paragraph) => paragraph !== "");

/** Sentences of a paragraph. A period inside backticks, or before a small letter, ends none. */
export function sentences(paragraph: string): string[] {
  const masked = paragraph.replace(/`[^`]*`/g, (code) => `\`${"x".repeat(code.length - 2)}\``);
  const ends = [...masked.matchAll(/[.]\s+(?=[A-Z`"])/g)].map((match) => match.index + 1);
  return [...ends, paragraph.length].map((end, i) => paragraph.slice(ends[i - 1] ?? 0, end).trim());
}

/** What is wrong with a piece of prose, or null. */
export function proseProblem(text: string): string | null {
  if (text === "") return "There is no sentence.";
  if (!text.endsWith(".")) return `A sentence ends in a period: "${ending(text)}".`;
  if (text.split("`").length % 2 === 0) return `A backtick has no partner: "${ending(text)}".`;
  // Ansible's markup has no way to write one.
  const code = (text.match(/`[^`]*`/g) ?? []).find((one) => one.includes(")"));
  return code ? `A closing parenthesis cannot stand between backticks: ${code}.` : null;
}

const ending = (text: string): string => (text.length > 40 ? `...${text.slice(-37)}` : text);

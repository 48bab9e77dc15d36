// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The fields of one object in a table, by name and type.

import type { Node } from "ts-morph";
import type { Literal } from "./literal.ts";
import type { Report } from "./problem.ts";
import { proseProblem } from "./sentence.ts";

export interface Fields {
  text(name: string): string;
  optionalText(name: string): string | null;
  /** A sentence. */
  sentence(name: string): string;
  integer(name: string): number;
  texts(name: string): readonly string[];
  optionalTexts(name: string): readonly string[];
  /** `true` or absent. */
  flag(name: string): boolean;
  optionalScalar(name: string): string | boolean | null;
  optionalValue(name: string): string | number | boolean | null;
  /** Items of a list, which may be absent. */
  list(name: string): readonly Literal[];
  /** A list of sentences, which may be absent. */
  sentences(name: string): readonly string[];
  /** The node of a field, or of the whole object. */
  at(name: string): Node;
  /** Reports the fields that no call has read: to be called last. */
  done(): void;
}

/** Reads the fields of an object. A field that is missing or has another type is a mistake, and read as empty. */
export function fieldsOf(literal: Literal, subject: string, report: Report): Fields {
  if (literal.kind !== "record") report(literal.node, `${subject} must be an object.`);
  const entries = literal.kind === "record" ? literal.entries : new Map();
  const asked = new Set<string>();
  const get = (name: string): Literal | undefined => {
    asked.add(name);
    return entries.get(name)?.literal;
  };
  const at = (name: string): Node => get(name)?.node ?? literal.node;
  const need = (name: string): Literal | undefined => {
    const found = get(name);
    if (!found && literal.kind === "record") report(literal.node, `${subject} has no ${name}.`);
    return found;
  };
  const asText = (name: string, found: Literal | undefined): string | null => {
    if (!found) return null;
    if (found.kind === "scalar" && typeof found.value === "string" && found.value !== "") return found.value;
    report(found.node, `${name} must be a string that is not empty.`);
    return null;
  };
  const asTexts = (name: string, found: Literal | undefined): readonly string[] => {
    if (!found) return [];
    if (found.kind === "list") return found.items.map((item) => asText(`Each item of ${name}`, item) ?? "");
    report(found.node, `${name} must be a list of strings.`);
    return [];
  };
  return {
    at,
    text: (name) => asText(name, need(name)) ?? "",
    optionalText: (name) => asText(name, get(name)),
    texts: (name) => asTexts(name, need(name)),
    optionalTexts: (name) => asTexts(name, get(name)),
    sentence(name) {
      const found = need(name);
      const text = found?.kind === "scalar" && found.value === "" ? "" : asText(name, found);
      const problem = found && text !== null ? proseProblem(text) : null;
      if (problem) report(at(name), `${name}: ${problem}`);
      return text ?? "";
    },
    integer(name) {
      const found = need(name);
      if (found?.kind === "scalar" && Number.isInteger(found.value)) return Number(found.value);
      if (found) report(found.node, `${name} must be a whole number.`);
      return 0;
    },
    flag(name) {
      const found = get(name);
      if (found && !(found.kind === "scalar" && found.value === true))
        report(found.node, `${name} must be true or absent.`);
      return found !== undefined;
    },
    optionalScalar(name) {
      const found = get(name);
      if (!found) return null;
      if (found.kind === "scalar" && typeof found.value !== "number") return found.value;
      report(found.node, `${name} must be a string, true or false.`);
      return null;
    },
    optionalValue(name) {
      const found = get(name);
      if (!found || found.kind === "scalar") return found?.value ?? null;
      report(found.node, `${name} must be a string, a number, true or false.`);
      return null;
    },
    list(name) {
      const found = get(name);
      if (!found || found.kind === "list") return found?.items ?? [];
      report(found.node, `${name} must be a list.`);
      return [];
    },
    sentences(name) {
      const texts = asTexts(name, get(name));
      for (const problem of texts.map(proseProblem).filter((one) => one !== null))
        report(at(name), `${name}: ${problem}`);
      return texts;
    },
    done() {
      for (const [name, { property }] of entries) {
        if (!asked.has(name))
          report(property, `${subject} has no field ${name}. Known fields: ${[...asked].join(", ")}.`);
      }
    },
  };
}

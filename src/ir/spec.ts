// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The whole spec, in a fixed order: the only input of the writers.

import { type Document, KINDS, type Kind } from "./document.ts";
import type { Program } from "./program.ts";
import type { State } from "./state.ts";
import type {
  BootstrapTool,
  Collection,
  Distribution,
  ExitStatus,
  IgnoredPath,
  Kept,
  Name,
  NspawnFlag,
  Playbook,
  Pocket,
  ScopeProperty,
  Table,
} from "./tables.ts";

export interface Spec {
  readonly collection: Collection & { readonly source: string };
  readonly layout: Table<Name>;
  readonly documents: readonly Document[];
  readonly states: readonly State[];
  readonly nspawn_flags: Table<NspawnFlag>;
  readonly scope_properties: Table<ScopeProperty>;
  readonly exit_statuses: Table<ExitStatus>;
  readonly bootstrap_tools: Table<BootstrapTool>;
  readonly base_packages: Table<string>;
  readonly distributions: Table<Distribution>;
  readonly pockets: Table<Pocket>;
  readonly kept_variables: Table<Kept>;
  readonly kept_capabilities: Table<Kept>;
  readonly playbooks: Table<Playbook>;
  readonly ignored_paths: Table<IgnoredPath>;
  readonly program: Program;
}

/** Sorts the documents. Options and rows of tables keep the model's order, which has a meaning. */
export function arrange(spec: Spec): Spec {
  const rank = (document: Document) => `${KINDS.indexOf(document.kind)} ${document.derived} ${document.name}`;
  return { ...spec, documents: [...spec.documents].sort((a, b) => (rank(a) < rank(b) ? -1 : 1)) };
}

/** Fully qualified name of content, for Ansible. */
export const fqcn = (spec: Spec, name: string): string =>
  `${spec.collection.namespace}.${spec.collection.name}.${name}`;

export const ofKind = (spec: Spec, ...kinds: readonly Kind[]): readonly Document[] =>
  spec.documents.filter((document) => kinds.includes(document.kind));

/** The variables that the user sets, or the derived ones that the collection sets. */
export const variables = (spec: Spec, derived: boolean): readonly Document[] =>
  ofKind(spec, "variables").filter((document) => document.derived === derived);

/** The beginning of the variables that are settings of jobs. */
export const jobPrefix = (spec: Spec): string => `${layoutValue(spec, "variable_prefix")}job_`;

/** A value of the layout. The reader has checked that each of these names exists. */
export function layoutValue(spec: Spec, name: LayoutName): string {
  const found = spec.layout.rows.find((row) => row.name === name);
  if (!found) throw new Error(`layout has no ${name}`);
  return found.value;
}

/** Names of the layout that the writers use. */
export const LAYOUT_NAMES = ["root", "variable_prefix", "jobs_directory"] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

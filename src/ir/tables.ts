// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Tables of the model.

/** The collection's description in galaxy.yml. */
export interface Collection {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly authors: readonly string[];
  readonly license: readonly string[];
  readonly readme: string;
  readonly tags: readonly string[];
  readonly repository: string;
  readonly build_ignore: readonly string[];
  readonly requires_ansible: string;
}

/** A name in the file system that several languages need. */
export interface Name {
  readonly name: string;
  readonly value: string;
  /** Sentences. */
  readonly description: readonly string[];
  /** Whether the wrapper needs the name. */
  readonly sh: boolean;
}

export interface NspawnFlag {
  readonly flag: string;
  readonly why: string;
  readonly systemd: number;
  readonly environment: boolean;
  readonly staged: boolean;
  readonly variable: string | null;
  readonly needs: string | null;
  readonly when: string | boolean | null;
  readonly pattern: string | null;
  readonly source: string | null;
}

/** A property of the scope of a container, as in a unit's file. */
export interface ScopeProperty {
  readonly property: string;
  readonly value: string;
  readonly why: string;
}

/** An exit status of the wrapper, as opposed to the command's. */
export interface ExitStatus {
  readonly name: string;
  readonly status: number;
  /** A sentence. */
  readonly when: string;
}

export interface BootstrapTool {
  readonly name: string;
  readonly why: string;
  readonly program: string;
  readonly package: string;
  readonly under: string | null;
  readonly arguments: readonly string[];
  readonly suite_files: readonly string[];
  /** Whether an upgrade inside a container follows. */
  readonly upgrade: boolean;
  readonly config_variable: string | null;
  readonly config_lines: readonly string[];
  readonly leftovers: readonly string[];
}

/** A distribution's own archive. */
export interface Distribution {
  readonly name: string;
  readonly origin: string;
  readonly suites: string;
  readonly architectures: string;
  readonly mirror: string;
  readonly keyring: string;
  readonly package: string;
  readonly components: readonly string[];
}

/** A part of an archive with newer packages. */
export interface Pocket {
  readonly name: string;
  readonly distribution: string;
  readonly suites: string;
  readonly suite: string;
  readonly beside: string;
  readonly mirror: string | null;
}

/** Something of the host that the programs of a creation keep. */
export interface Kept {
  readonly names: readonly string[];
  readonly why: string;
}

export interface Playbook {
  readonly name: string;
  readonly does: string;
  readonly hosts: string;
  readonly example: string;
  /** Variables of the playbook, beside those of images. */
  readonly variables: readonly string[];
}

export interface IgnoredPath {
  readonly path: string;
  readonly why: string;
  /** `path` is the end of paths anywhere in the tree, with `*` for one name. */
  readonly anywhere: boolean;
  /** Whether only files in the directory are meant. */
  readonly files: boolean;
}

/** A table and the file in the model that holds it. */
export interface Table<Row> {
  readonly source: string;
  readonly rows: readonly Row[];
}

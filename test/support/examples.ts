// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A host with the unchanged examples of the artifact.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { type AnsibleProgram, type AnsibleResult, ansible, collectionPath } from "./ansible.ts";
import { scratch } from "./scratch.ts";

export interface ExamplesHost {
  /** Directory of the examples. */
  readonly directory: string;
  readonly root: string;
  /** Runs a program of Ansible without -i: the example's ansible.cfg names the inventory. */
  readonly run: (program: AnsibleProgram, ...args: string[]) => Promise<AnsibleResult>;
}

/** The host is removed when the test file ends. */
export function examplesHost(): ExamplesHost {
  const base = scratch("file");
  const directory = join(base, "etc");
  const root = join(base, "images");
  cpSync(join(collectionPath(), "examples"), directory, { recursive: true });
  return {
    directory,
    root,
    run: (program, ...args) => ansible(program, args, { cwd: directory, env: { NSPAWN_RUNNER_ROOT: root } }),
  };
}

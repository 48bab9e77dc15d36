// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// An image without Ansible: the functions that a maintenance calls, called in Python.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { inject } from "vitest";

const PRELUDE = `
import json, os, sys, time
from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import generations, publish, record, stage
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._session import lock
from ansible_collections.nspawn.runner.plugins.module_utils._session.lock import image_lock
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use, quiet
`;

export interface Generation {
  id: string;
  published?: string;
  retired?: string;
  tasks_changed?: number;
  mounts?: string[];
}

export interface State {
  format: number;
  image: string;
  published?: Generation;
  generations: Generation[];
  hold?: { since: string; generation: string };
}

/** For a program with measured time or system calls: the measurement of coverage would add to both. */
export const unmeasured = ["env", "--unset=COVERAGE_PROCESS_START"] as const;

/** Runs Python code with the artifact's modules to the end; `under` is a program, with arguments, that starts Python. */
export function python(script: string, args: readonly string[] = [], under: readonly string[] = []) {
  const [file, ...rest] = [...under, "/usr/bin/python3", "-c", PRELUDE + script, ...args] as [string, ...string[]];
  return execa(file, rest, { env: pythonEnvironment(), cwd: "/" });
}

export const pythonEnvironment = () => ({
  PYTHONPATH: `${inject("collections")}:/usr/lib/python3/dist-packages`,
  PYTHONDONTWRITEBYTECODE: "1",
});

/** An image `img` in a new root directory below `directory`. */
export class ImageHost {
  readonly root: string;
  readonly tree: string;
  readonly state: string;

  constructor(directory: string) {
    this.root = join(directory, "root");
    this.tree = join(this.root, "img");
    this.state = join(this.root, ".nspawn-runner/img");
    mkdirSync(this.state, { recursive: true, mode: 0o700 });
  }

  /** The value of a Python expression, where `p` is the image's place and `log` a list; a RunnerError is `{error}`. */
  async call<T>(expression: string, before = ""): Promise<{ value?: T; error?: string; log: string[] }> {
    const body = [
      "p, log, value, error = Place(sys.argv[1], 'img'), [], None, None",
      before,
      "with image_lock(p.state, 'a test'):",
      "    try:",
      `        value = ${expression}`,
      "    except RunnerError as problem:",
      "        error = str(problem)",
      "print(json.dumps({'value': value, **({'error': error} if error else {}), 'log': log}))",
    ];
    return JSON.parse((await python(body.join("\n"), [this.root])).stdout);
  }

  /** Stages a tree with this content and publishes it. */
  async publish(content: string): Promise<Generation> {
    this.stage(content);
    const { value, error } = await this.call<Generation>("publish.publish(p, {'tasks_changed': 1})");
    if (!value) throw new Error(error);
    return value;
  }

  stage(content: string): void {
    mkdirSync(join(this.state, "staged"));
    writeFileSync(join(this.state, "staged/v"), content);
  }

  load = (): State => JSON.parse(readFileSync(join(this.state, "state.json"), "utf8"));

  /** Changes state.json by hand. */
  edit(change: (state: State) => void): void {
    const state = this.load();
    change(state);
    writeFileSync(join(this.state, "state.json"), JSON.stringify(state));
  }

  ids = (): string[] => this.load().generations.map(({ id }) => id);

  /** Contents of the trees: of the published one, and of each generation, the newest first. */
  contents(): string[] {
    const directory = join(this.state, "generations");
    const generations = readdirSync(directory).sort().reverse();
    return [this.tree, ...generations.map((id) => join(directory, id))].map((tree) =>
      readFileSync(join(tree, "v"), "utf8"),
    );
  }
}

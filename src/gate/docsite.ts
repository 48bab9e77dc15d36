// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The collection's pages as HTML, as Ansible's documentation would show them.

import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fragments } from "../tool/changelog.ts";

const CONFIGURATION = `project = "nspawn.runner"
extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True
`;

/** Labels of Ansible's documentation that the pages of any collection refer to. */
const ansibleLabels = [
  "action_plugins",
  "ansible_configuration_settings",
  "callback_plugins",
  "common_return_values",
  "connection_plugins",
  "inventory_plugins",
  "vars_plugins",
];

/** Variables of Ansible's documentation that the connection plugin's options refer to. */
const ansibleVariables = ["ANSIBLE_EXECUTABLE", "ANSIBLE_PIPELINING"];

/** A program with arguments, and a working directory. */
export interface Step {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
}

/**
 * Puts a copy of the collection and Sphinx's configuration into an empty directory.
 *
 * @returns The next steps, in order: a release of the changelog's fragments, since a changelog without a release has no page; the pages; the
 *   HTML, where a warning is a failure.
 */
export async function docsiteSteps(collection: string, directory: string): Promise<readonly Step[]> {
  const copy = join(directory, "ansible_collections/nspawn/runner");
  await cp(collection, copy, { recursive: true });
  const pages = join(directory, "pages");
  await mkdir(pages, { mode: 0o700 });
  await writeFile(join(directory, "conf.py"), CONFIGURATION);
  const labels = ansibleLabels.map((label) => `.. _${label}:\n`).join("\n");
  const variables = ansibleVariables.map((name) => `.. envvar:: ${name}\n`).join("\n");
  await writeFile(join(directory, "ansible.rst"), `:orphan:\n\n${labels}\nAnsible\n=======\n\n${variables}`);
  const unreleased = (await fragments(collection)).length > 0;
  return [
    ...(unreleased ? [{ argv: ["antsibull-changelog", "release"], cwd: copy } as const] : []),
    {
      argv: [
        "antsibull-docs",
        "collection",
        "--use-current",
        "--squash-hierarchy",
        "--dest-dir=pages",
        "nspawn.runner",
      ],
      cwd: directory,
    },
    { argv: ["cp", "ansible.rst", "pages"], cwd: directory },
    { argv: ["sphinx-build", "--quiet", "-W", "--keep-going", "-c", ".", "pages", "html"], cwd: directory },
  ];
}

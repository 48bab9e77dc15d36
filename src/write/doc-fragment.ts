// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A doc fragment: the DOCUMENTATION of a plugin, module or action, without name, author and short description.

import type { Document, Option } from "../ir/document.ts";
import { ansibleMarkup } from "./literal/ansible-markup.ts";
import { pythonText } from "./literal/python.ts";
import { yamlText } from "./literal/yaml.ts";
import { pythonModule } from "./python-module.ts";

/**
 * `plugins/doc_fragments/_NAME.py`.
 *
 * Without `short_description`: `ansible-doc --list` reads that one from the plugin's own file, and Ansible refuses a text in both places.
 */
export function docFragmentFile(document: Document): string {
  const documentation = yamlText({
    ...about(document),
    ...attributes(document),
    options: optionDocs(document.options, document.since),
  });
  const body = `\nclass ModuleDocFragment:\n    DOCUMENTATION = ${pythonText(`\n${documentation}`)}\n`;
  return pythonModule([document.source], `Options of ${document.name}.`, body);
}

function about({ short, description, since }: Document): Record<string, unknown> {
  return {
    version_added: since,
    description: [short, ...description].map(ansibleMarkup),
  };
}

const optionDocs = (options: readonly Option[], since: string): Record<string, unknown> =>
  Object.fromEntries(options.map((option) => [option.name, optionDoc(option, since)]));

function optionDoc(option: Option, since: string): Record<string, unknown> {
  return {
    description: option.description.map(ansibleMarkup),
    type: option.type,
    ...(option.elements ? { elements: option.elements } : {}),
    ...(option.required ? { required: true } : {}),
    ...(option.choices.length > 0 ? { choices: option.choices } : {}),
    ...(option.default === null ? {} : { default: option.default }),
    ...(option.options.length > 0 ? { suboptions: optionDocs(option.options, since) } : {}),
    ...named(
      "env",
      option.env.map((name) => ({ name })),
    ),
    ...named("ini", option.ini),
    ...named(
      "vars",
      option.vars.map((name) => ({ name })),
    ),
    // By custom, an option as old as its plugin has no version.
    ...(option.since === since ? {} : { version_added: option.since }),
  };
}

const named = (key: string, items: readonly unknown[]): Record<string, unknown> =>
  items.length > 0 ? { [key]: items } : {};

/** Ansible's doc fragment `ansible.builtin.action_common_attributes`, which the plugin names after this one, has the descriptions. */
function attributes({ check_mode, diff_mode }: Document): Record<string, unknown> {
  if (!check_mode || !diff_mode) return {};
  return {
    attributes: {
      check_mode: { support: check_mode },
      diff_mode: { support: diff_mode },
      platform: { support: "full", platforms: "linux" },
    },
  };
}

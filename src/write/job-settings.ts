// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/job_settings.py`: an image's settings for jobs, with their types and defaults.

import type { Option } from "../ir/document.ts";
import { jobPrefix, type Spec, variables } from "../ir/spec.ts";
import { assignment, type Python } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function jobSettingsFile(spec: Spec): string {
  const prefix = jobPrefix(spec);
  const documents = variables(spec, false);
  const options = documents.flatMap((document) => document.options).filter(({ name }) => name.startsWith(prefix));
  const key = ({ name }: Option) => name.slice(prefix.length);
  const fields = options.map((option) => `    ${key(option)}: ${pythonType(option)}\n`);
  const defaults = options.flatMap((option) =>
    option.default === null ? [] : [[key(option), option.default as Python] as const],
  );
  return pythonModule(
    [...new Set(documents.map(({ source }) => source))],
    "Settings of an image for jobs, which the program reads.",
    [
      "from typing import TypedDict\n\n",
      `# Variables of these settings begin with this.\n${assignment("JOB_PREFIX", "str", prefix)}\n\n`,
      `class JobSettings(TypedDict, total=False):\n${fields.join("") || "    pass\n"}\n\n`,
      "# Settings that an image does not have are absent here and have no limit.\n",
      assignment("DEFAULTS", "JobSettings", Object.fromEntries(defaults)),
    ].join(""),
  );
}

const TYPES = { str: "str", path: "str", bool: "bool", int: "int", float: "float", dict: "dict[str, str]" } as const;

const pythonType = ({ type, elements }: Option): string =>
  type === "list" ? `list[${elements === "int" ? "int" : "str"}]` : TYPES[type];

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The systemd-nspawn command line, for Python and for sh.

import type { Spec } from "../ir/spec.ts";
import type { NspawnFlag } from "../ir/tables.ts";
import { exitStatusesSh } from "./exit-statuses.ts";
import { hashHeader } from "./header.ts";
import { assignment, tuple } from "./literal/python.ts";
import { shTemplate, shWord } from "./literal/sh.ts";
import { pythonModule } from "./python-module.ts";

/** `module_utils/_spec/nspawn_flags.py`. */
export function nspawnFlagsPython(spec: Spec): string {
  const { flags, environment, staged, ofVariables } = split(spec.nspawn_flags.rows);
  const variableFlags = ofVariables.map(({ variable, needs, flag, environment, when, pattern }) => ({
    variable,
    needs,
    flag,
    environment,
    when,
    pattern,
  }));
  return pythonModule(
    [spec.nspawn_flags.source, spec.scope_properties.source],
    "The systemd-nspawn command line.",
    [
      "# Arguments of every call; {name} is the image, {machine} a unique name.\n",
      assignment("FLAGS", "tuple[str, ...]", tuple(flags.map(({ flag }) => flag))),
      "\n# Environment of systemd-nspawn itself in every call.\n",
      assignment(
        "ENVIRONMENT",
        "dict[str, str]",
        Object.fromEntries(environment.map(({ flag }) => nameAndValue(flag))),
      ),
      "\n# Additional arguments for a staged tree, which has no other user until it is published.\n",
      assignment("STAGED_FLAGS", "tuple[str, ...]", tuple(staged.map(({ flag }) => flag))),
      "\n# Lowest version of systemd that has all flags of every call.\n",
      assignment("MINIMUM_SYSTEMD", "int", minimumSystemd(spec)),
      "\n# Flags of an image's variables: one for each value, or for the value `when`; none while the variable `needs` is false.\n# Of several flags with a pattern, the first that matches.\n",
      assignment("VARIABLE_FLAGS", "tuple[dict[str, Any], ...]", tuple(variableFlags)),
      "\n# Properties of the scope of a container, as in a unit's file.\n",
      assignment(
        "SCOPE_PROPERTIES",
        "dict[str, str]",
        Object.fromEntries(spec.scope_properties.rows.map(({ property, value }) => [property, value])),
      ),
    ].join(""),
  );
}

/** `playbooks/files/nspawn-flags.sh`, which the wrapper sources. */
export function nspawnFlagsSh(spec: Spec): string {
  const { flags, environment, staged } = split(spec.nspawn_flags.rows);
  const names = spec.layout.rows.filter(({ sh }) => sh);
  const assignments = names.map(({ name, value }) => `nspawn_${name}=${shWord(value)}\n`);
  return [
    hashHeader([
      ...new Set([spec.nspawn_flags.source, spec.exit_statuses.source, ...names.map(() => spec.layout.source)]),
    ]),
    "#\n# Sourced by nspawn-chroot.\n",
    "# shellcheck shell=sh disable=SC2034\n\n",
    ...assignments,
    "# Lowest version of systemd that has all flags of every call.\n",
    `nspawn_minimum=${minimumSystemd(spec)}\n`,
    ...exitStatusesSh(spec),
    "\n",
    "# Environment of systemd-nspawn itself in every call, one variable per line.\n",
    ...environment.map(({ why }) => `# ${why}\n`),
    `nspawn_environment=${shTemplate(environment.map(({ flag }) => flag).join("\n"))}\n`,
    "\n# nspawn_flags COMMAND [ARGUMENT...]: calls COMMAND with the flags of every call before the arguments.\n",
    "# Needs $name (the image) and $machine (a unique name).\n",
    ...shFunction("nspawn_flags", flags),
    "\n# The same with the additional flags of a staged tree.\n",
    ...shFunction("nspawn_staged_flags", staged),
  ].join("");
}

/** Lowest version of systemd that has every flag of every call. */
export const minimumSystemd = (spec: Spec): number =>
  Math.max(0, ...spec.nspawn_flags.rows.filter(({ variable }) => variable === null).map(({ systemd }) => systemd));

function split(rows: readonly NspawnFlag[]) {
  const always = rows.filter(({ variable, staged }) => variable === null && !staged);
  return {
    flags: always.filter(({ environment }) => !environment),
    environment: always.filter(({ environment }) => environment),
    staged: rows.filter(({ staged }) => staged),
    ofVariables: rows.filter(({ variable }) => variable !== null),
  };
}

const shFunction = (name: string, rows: readonly NspawnFlag[]): readonly string[] => [
  `${name}() {\n  nspawn_command=$1\n  shift\n  "$nspawn_command" \\\n`,
  ...rows.map(({ flag }) => `    ${shTemplate(flag)} \\\n`),
  '    "$@"\n}\n',
];

function nameAndValue(flag: string): readonly [name: string, value: string] {
  const at = flag.indexOf("=");
  return [flag.slice(0, at), flag.slice(at + 1)];
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `module_utils/_spec/image_state.py`: the types of the fields of a state file, for the check in Python.

import type { Spec } from "../ir/spec.ts";
import type { FieldType, Part } from "../ir/state.ts";
import { assignment } from "./literal/python.ts";
import { pythonModule } from "./python-module.ts";

export function stateTypesFile({ states }: Spec): string {
  const constants = states
    .flatMap(({ parts }) => parts)
    .map((part) => assignment(constantName(part), "dict[str, str]", typesOf(part)));
  return pythonModule(
    states.map(({ source }) => source),
    "Types of the fields in the objects of a state file, as names of Python types.",
    constants.join("\n"),
  );
}

const constantName = ({ name }: Part): string => name.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

const typesOf = ({ fields }: Part): Record<string, string> =>
  Object.fromEntries(fields.map(({ name, type }) => [name, pythonType(type)]));

function pythonType(type: FieldType): string {
  switch (type.is) {
    case "string":
      return "str";
    case "number":
      return type.integer ? "int" : "float";
    case "boolean":
      return "bool";
    case "constant":
      return typeof type.value === "string" ? "str" : "int";
    case "list":
      return "list";
    case "map":
    case "part":
      return "dict";
  }
}

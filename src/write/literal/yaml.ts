// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// YAML for Ansible, whose parser speaks YAML 1.1: the one place that prints it.

import { stringify } from "yaml";

/** Block style, folded below Ansible's limit of 160 columns. `yes`, `no`, `012` and the like are quoted. */
export const yamlText = (value: unknown): string =>
  stringify(value, { version: "1.1", lineWidth: 120, aliasDuplicateObjects: false });

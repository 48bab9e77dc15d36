// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// YAML for Ansible, whose parser reads YAML 1.1: the one file that prints YAML.

import { Document, Scalar, visit } from "yaml";

const MERGE = "tag:yaml.org,2002:merge";

/** Block style, folded below Ansible's limit of 160 columns. `yes`, `no`, `012` and the like are quoted. */
export function yamlText(value: unknown): string {
  const document = new Document(value, {
    version: "1.1",
    aliasDuplicateObjects: false,
    customTags: (tags) => tags.filter((tag) => typeof tag === "string" || tag.tag !== MERGE),
  });
  visit(document, {
    Scalar(_, scalar) {
      // This library takes these for plain strings, Ansible's parser does not.
      if (scalar.value === "=" || scalar.value === "<<") scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString({ lineWidth: 120 });
}

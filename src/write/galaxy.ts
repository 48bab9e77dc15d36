// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `galaxy.yml` and `meta/runtime.yml`: the collection's descriptions for Galaxy and Ansible.

import { ofKind, type Spec } from "../ir/spec.ts";
import { hashHeader } from "./header.ts";
import { yamlText } from "./literal/yaml.ts";

export function galaxyFile({ collection }: Spec): string {
  const { namespace, name, version, readme, authors, description, license, tags, repository, build_ignore } =
    collection;
  const content = {
    namespace,
    name,
    version,
    readme,
    authors,
    description,
    license,
    tags,
    dependencies: {},
    repository,
    build_ignore,
  };
  return `${hashHeader([collection.source])}---\n${yamlText(content)}`;
}

export function runtimeFile(spec: Spec): string {
  const { collection } = spec;
  const modules = ofKind(spec, "module", "action").map((document) => document.name);
  const content = {
    requires_ansible: collection.requires_ansible,
    action_groups: { [collection.name]: [...modules].sort() },
  };
  return `${hashHeader([collection.source])}---\n${yamlText(content)}`;
}

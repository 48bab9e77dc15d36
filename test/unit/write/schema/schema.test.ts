// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The committed JSON Schemas: files that they must accept, and files that they must refuse.

import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const validator = (name: string) =>
  new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true }).compile(
    JSON.parse(readFileSync(`generated/schema/${name}.schema.json`, "utf8")),
  );

/** As an editor reads it: YAML 1.2, and Ansible's tags give strings. */
const editorParse = (text: string): unknown =>
  parse(text, { customTags: ["!vault", "!unsafe"].map((tag) => ({ tag, resolve: (value: string) => value })) });

type Rows = readonly (readonly [name: string, text: string])[];

describe("an inventory file", () => {
  const validate = validator("nspawn_runner");
  const plugin = "plugin: nspawn.runner.chroots\n";

  const right: Rows = [
    ["the shortest", plugin],
    ["every option", `${plugin}root: /srv\nplaybook_dirs: [a, /b]\nconnection: a.b.c\ninclude: ["a*"]\nexclude: []\n`],
    [
      "Ansible's own options",
      `${plugin}strict: true\ncompose: {a: b, c: "1"}\ngroups: {g: true, h: "a == b"}\nkeyed_groups:\n- {key: a, prefix: p, separator: "", parent_group: x, trailing_separator: false}\n- {key: a, default_value: none}\nuse_extra_vars: false\nleading_separator: false\n`,
    ],
  ];
  test.each(right)("accepts %s", (_, text) => {
    validate(editorParse(text));
    expect(validate.errors).toBeNull();
  });

  const wrong: Rows = [
    ["nothing", ""],
    ["a list", "- a"],
    ["no plugin", "root: /srv"],
    ["another plugin", "plugin: other.plugin.name"],
    ["an unknown option", `${plugin}roof: /srv`],
    ["a number for a path", `${plugin}root: 1`],
    ["a string for a list", `${plugin}include: a`],
    ["a keyed group without key", `${plugin}keyed_groups: [{prefix: a}]`],
    ["an unknown field of a keyed group", `${plugin}keyed_groups: [{key: a, prefx: b}]`],
    ["an expression that is a list", `${plugin}compose: {a: [b]}`],
  ];
  test.each(wrong)("refuses %s", (_, text) => expect(validate(editorParse(text))).toBe(false));
});

describe("a playbook", () => {
  const validate = validator("playbook");
  const play = (vars: string) => `- hosts: all\n  vars:\n    ${vars}\n  tasks: []\n`;

  const right: Rows = [
    ["without vars", "- hosts: all"],
    ["with empty vars", "- hosts: all\n  vars:\n"],
    [
      "with any keyword and any task",
      "- name: x\n  hosts: [a, b]\n  become: yes\n  foo: {bar: 1}\n  tasks: [{apt: name=x}, {block: []}]\n",
    ],
    [
      "of several plays, with imports",
      "- import_playbook: a.yml\n- ansible.builtin.import_playbook: b.yml\n- hosts: all\n- hosts: b\n",
    ],
    ["variables of others", play("foo: 1\n    nspawnrunner_x: [1]")],
    ["a suite", play("nspawn_runner_chroot_suite: sid")],
    ["a choice", play("nspawn_runner_bootstrap: tarball")],
    ["a list", play("nspawn_runner_packages: [a, b]")],
    ["a dictionary", play("nspawn_runner_environment: {A: b, C: 1, D: true}")],
    ["a number", play("nspawn_runner_keep_days: 0")],
    ["a boolean", play("nspawn_runner_maint_recreate: true")],
    ["a boolean as Ansible users write it", play("nspawn_runner_maint_recreate: yes")],
    ["a template for a choice", play('nspawn_runner_bootstrap: "{{ tool }}"')],
    ["a template for a list", play('nspawn_runner_packages: "{{ a + b }}"')],
    ["a template for a dictionary", play('nspawn_runner_environment: "{{ a }}"')],
    ["a template for a number", play('nspawn_runner_keep_days: "{{ a }}"')],
    ["a template for a boolean", play('nspawn_runner_seccomp: "{% if a %}yes{% endif %}"')],
    ["an encrypted string", play("nspawn_runner_mirror: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162")],
    ["an encrypted list", play("nspawn_runner_packages: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162")],
    ["an unsafe string", play('nspawn_runner_mirror: !unsafe "a{b"')],
  ];
  test.each(right)("accepts %s", (_, text) => {
    validate(editorParse(text));
    expect(validate.errors).toBeNull();
  });

  const wrong: Rows = [
    ["nothing", ""],
    ["an empty list", "[]"],
    ["a play alone", "hosts: all"],
    ["a play without hosts", "- tasks: []"],
    ["vars that are a list", "- hosts: all\n  vars: [1]\n"],
    ["an unknown variable", play("nspawn_runner_chroot_siute: sid")],
    ["an unknown variable of the second play", `- hosts: a\n${play("nspawn_runner_x: 1")}`],
    ["a derived variable", play("nspawn_runner_path: /x")],
    ["a wrong choice", play("nspawn_runner_bootstrap: dnf")],
    ["a string for a list", play("nspawn_runner_packages: a")],
    ["a number for a string", play("nspawn_runner_mirror: 1")],
    ["a list for a string", play("nspawn_runner_mirror: [a]")],
    ["a string for a dictionary", play("nspawn_runner_environment: a")],
    ["a word for a boolean", play("nspawn_runner_seccomp: perhaps")],
    ["a number below the minimum", play("nspawn_runner_keep_generations: -1")],
    ["a fraction", play("nspawn_runner_keep_days: 1.5")],
  ];
  test.each(wrong)("refuses %s", (_, text) => expect(validate(editorParse(text))).toBe(false));
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The committed JSON Schemas: files that must be accepted, and files that must be refused.

import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const validator = (name: string) =>
  new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true }).compile(
    JSON.parse(readFileSync(`generated/schema/${name}.schema.json`, "utf8")),
  );

/** Reads text as an editor does: YAML 1.2, and Ansible's tags give strings. */
const editorParse = (text: string): unknown =>
  parse(text, { customTags: ["!vault", "!unsafe"].map((tag) => ({ tag, resolve: (value: string) => value })) });

type Rows = readonly (readonly [name: string, text: string])[];

describe("an inventory file", () => {
  const validate = validator("nspawn_runner");
  const plugin = "plugin: nspawn.runner.chroots\n";

  const right: Rows = [
    ["the shortest", plugin],
    [
      "every option",
      `${plugin}root: /srv\nplaybook_dirs: [a, /b]\nconnection: community.general.chroot\ninclude: ["a*"]\nexclude: []\n`,
    ],
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
    ["a connection plugin that leads past the tree", `${plugin}connection: ansible.builtin.local`],
    ["a number for a path", `${plugin}root: 1`],
    ["a string for a list", `${plugin}include: a`],
    ["a keyed group without key", `${plugin}keyed_groups: [{prefix: a}]`],
    ["an unknown field of a keyed group", `${plugin}keyed_groups: [{key: a, prefx: b}]`],
    ["an expression that is a list", `${plugin}compose: {a: [b]}`],
  ];
  test.each(wrong)("refuses %s", (_, text) => expect(validate(editorParse(text))).toBe(false));
});

describe("a file of group_vars or host_vars", () => {
  const validate = validator("variables");

  const right: Rows = [
    ["an empty file", ""],
    [
      "variables of Ansible and of the collection",
      "ansible_user: root\nnspawn_runner_mirror: http://mirror.example.org\n",
    ],
    ["a list", "nspawn_runner_packages: [a, b]"],
    ["a secret", "nspawn_runner_mirror: !vault $ANSIBLE_VAULT;1.1;AES256"],
  ];
  test.each(right)("accepts %s", (_, text) => {
    validate(editorParse(text));
    expect(validate.errors).toBeNull();
  });

  const wrong: Rows = [
    ["a playbook", "- hosts: all"],
    ["a misspelt variable", "nspawn_runner_pakages: [a]"],
    ["a variable that the collection sets", "nspawn_runner_path: /srv"],
    ["a text for a number", "nspawn_runner_keep_days: much"],
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
      "- import_playbook: a.yml\n- ansible.builtin.import_playbook: b.yml\n- ansible.legacy.import_playbook: c.yml\n- hosts: all\n- hosts: b\n",
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

describe("state.json", () => {
  const schema = JSON.parse(readFileSync("generated/schema/state.schema.json", "utf8"));
  const validate = validator("state");
  const [example] = schema.examples;
  const id = "20261123T231500Z";
  const time = "2026-11-23T23:15:00Z";
  const fresh = { format: 1, image: "sid", generations: [] };
  const run = { started: time, seconds: 0, result: "unchanged", tasks_changed: 0, msg: "", log: "/x" };
  const generation = (fields: object) => ({ ...fresh, generations: [{ id, ...fields }] });
  const lastRun = (fields: object) => ({ ...fresh, last_run: { ...run, ...fields } });

  const right: readonly (readonly [name: string, content: unknown])[] = [
    ["its own example", example],
    ["an image without history", fresh],
    ["a tree that somebody else made", generation({ retired: time })],
    [
      "a tree with jobs on it",
      generation({ published: time, retired: time, mounts: ["0:57 rw,lowerdir=/a,upperdir=/b,workdir=/c"] }),
    ],
    ["how a tree was made", generation({ creation: { suite: "sid", packages: ["git"], components: [] } })],
    [
      "packages that came, went and changed",
      generation({
        packages: [
          { name: "a:i386", to: "1" },
          { name: "b", from: "1:2~3+b1" },
          { name: "c", from: "1", to: "2" },
        ],
      }),
    ],
    ["an image on hold", { ...fresh, published: { id, published: time }, hold: { since: time, generation: id } }],
    ["a failed run", lastRun({ result: "failed", seconds: 12.3, msg: "task x failed" })],
    ["a run that installed something", lastRun({ result: "published", packages: [{ name: "a", to: "1" }] })],
  ];
  test.each(right)("accepts %s", (_, content) => {
    validate(content);
    expect(validate.errors).toBeNull();
  });

  const wrong: typeof right = [
    ["nothing", {}],
    ["a list", []],
    ["a newer format", { ...fresh, format: 2 }],
    ["no generations", { format: 1, image: "sid" }],
    ["generations by name", { ...fresh, generations: { [id]: {} } }],
    ["an unknown field", { ...fresh, publishd: { id } }],
    ["a null for what is absent", { ...fresh, hold: null }],
    ["a generation without id", { ...fresh, generations: [{}] }],
    ["an id that is a path", { ...fresh, generations: [{ id: "../x" }] }],
    ["an unknown field of a generation", generation({ retird: time })],
    ["a time that is a number", generation({ retired: 1795500000 })],
    ["a local time", generation({ retired: "2026-11-23T23:15:00+01:00" })],
    ["a checksum in capitals", generation({ playbook_sha256: "A".repeat(64) })],
    ["half a task", generation({ tasks_changed: 0.5 })],
    ["tasks below zero", generation({ tasks_changed: -1 })],
    ["a package without name", generation({ packages: [{ to: "1" }] })],
    ["a number for how a tree was made", generation({ creation: { suite: 1 } })],
    ["a hold on nothing", { ...fresh, hold: { since: time } }],
    ["a run with another end", lastRun({ result: "skipped" })],
    ["a run that took less than no time", lastRun({ seconds: -1 })],
  ];
  test.each(wrong)("refuses %s", (_, content) => expect(validate(content)).toBe(false));
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Playbooks as read by the inventory: unusual ones that are accepted, bad ones that leave the other images alone, names that no image can have.

import { chmod, chown, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { countOf, imagePath, inventoryHost, type Listing, list, playbook } from "../support/inventory-host.ts";
import { scratch } from "../support/scratch.ts";

const suite = "nspawn_runner_chroot_suite: sid";
const vault = "$ANSIBLE_VAULT;1.1;AES256\n33363965326261303234323936623133";

describe("a playbook that is unusual", () => {
  const directory = scratch("file");
  let listing: Listing;

  beforeAll(async () => {
    await inventoryHost(directory, {
      "two-plays.yml": `${playbook(suite)}- hosts: all\n  vars: {nspawn_runner_of_nobody: 1}\n`,
      "windows.yml": `\uFEFF${playbook(suite).replaceAll("\n", "\r\n")}`,
      "import.yml": "- import_playbook: sid.yml\n- hosts: all\n  vars: {nspawn_runner_of_nobody: 1}\n",
      "images/import/": "",
      "import-without-tree.yml": "- import_playbook: sid.yml\n- hosts: all\n  vars: {nspawn_runner_of_nobody: 1}\n",
      "vault.yml": playbook(`nspawn_runner_mirror: !vault |\n      ${vault.replace("\n", "\n      ")}`),
      "vault-file.yml": `${vault}\n`,
      "images/vault-file/": "",
      "unsafe.yml": playbook('nspawn_runner_mirror: !unsafe "{{ 1 + 1 }}"'),
      "merge.yml": `- hosts: all\n  x-common: &common {${suite}, nspawn: 1}\n  vars:\n    <<: *common\n    nspawn_runner_variant: buildd\n`,
      "connection.yml": playbook(suite, "ansible_host: /", "ansible_connection: local", "ansible_chroot_exe: /bin/sh"),
      "null-vars.yml": "- hosts: all\n  vars:\n  tasks: []\n",
      "images/null-vars/": "",
      "template.yml": playbook("base: trix", 'nspawn_runner_chroot_suite: "{{ base }}ie"'),
    });
    await writeFile(join(directory, "target"), playbook(suite));
    await symlink("target", join(directory, "linked.yml"));
    listing = await list(directory);
  });

  test("gives no warning, except for variables in a second play", () => {
    for (const place of ["two-plays.yml:7", "import.yml:3"])
      expect(countOf(`${join(directory, place)}: nspawn_runner_of_nobody has no effect here`, listing.stderr)).toBe(1);
    const place = join(directory, "import-without-tree.yml:3");
    expect(countOf(`${place}: nspawn_runner_of_nobody is not in the vars of the first play`, listing.stderr)).toBe(1);
    expect(listing.stderr.match(/WARNING/g)).toHaveLength(3);
    expect(JSON.stringify(listing.hosts)).not.toContain("nspawn_runner_error");
  });

  test.each([
    ["two-plays", "of two plays counts by its first", { nspawn_runner_chroot_suite: "sid" }],
    ["windows", "with a byte order mark and CRLF is read", { nspawn_runner_chroot_suite: "sid" }],
    ["import", "that begins with import_playbook counts with a tree", { nspawn_runner_present: true }],
    ["vault-file", "that is encrypted as a whole counts with a tree", { nspawn_runner_present: true }],
    ["vault", "keeps encrypted values", { nspawn_runner_mirror: { __ansible_vault: `${vault}\n` } }],
    ["unsafe", "keeps unsafe values", { nspawn_runner_mirror: "{{ 1 + 1 }}" }],
    ["merge", "may merge mappings", { nspawn_runner_chroot_suite: "sid", nspawn_runner_variant: "buildd" }],
    ["null-vars", "may have empty vars", { nspawn_runner_present: true }],
    ["linked", "may be a link to a file", { nspawn_runner_chroot_suite: "sid" }],
    ["template", "keeps its templates", { nspawn_runner_chroot_suite: "{{ base }}ie" }],
    [
      "connection",
      "cannot choose how its image is entered",
      { ansible_host: imagePath(directory, "connection"), ansible_connection: "nspawn.runner.nspawn" },
    ],
  ])("%s.yml: one %s", (name, _what, variables) => {
    expect(listing.hosts[name]).toMatchObject(variables);
  });

  test("that begins with import_playbook does not count without a tree", () => {
    expect(listing.hosts).not.toHaveProperty("import-without-tree");
  });

  test("has templates that are rendered, and unsafe values that are not", async () => {
    const tasks =
      '- hosts: template:unsafe\n  gather_facts: false\n  vars: {ansible_connection: local, base: bookw}\n  tasks:\n    - debug: msg="{{ nspawn_runner_chroot_suite | default(nspawn_runner_mirror) }}"\n';
    await writeFile(join(directory, "show.yml"), tasks.replace("base: bookw", "base: trix"));
    const { stdout, exitCode } = await ansible("ansible-playbook", ["-i", "nspawn_runner.yml", "show.yml"], {
      cwd: directory,
    });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('"msg": "trixie"');
    expect(stdout).toContain('"msg": "{{ 1 + 1 }}"');
  });
});

const unknownVariables = [
  "LINE 5: unknown variable nspawn_runner_chroot_siute; the nearest known one is nspawn_runner_chroot_suite",
  "LINE 6: unknown variable nspawn_runner_zzzzqqqq",
  "LINE 7: nspawn_runner_path is set by the collection and cannot be set here: remove it",
];

describe("a playbook that is bad", () => {
  const directory = scratch("file");
  let listing: Listing;

  beforeAll(async () => {
    const bytes = Buffer.concat([Buffer.from(playbook(suite)), Buffer.from([0xff, 0x0a])]);
    const large = Buffer.concat([Buffer.from(playbook(suite)), Buffer.alloc(50_000_000, "\n")]);
    await inventoryHost(directory, {
      "good.yml": playbook(suite),
      "unknown.yml": playbook(
        suite,
        "nspawn_runner_chroot_siute: sid",
        "nspawn_runner_zzzzqqqq: 1",
        "nspawn_runner_path: /",
      ),
      "derived.yml": playbook("nspawn_runner_error: none"),
      "empty.yml": "",
      "images/empty/": "",
      "comment.yml": "---\n# Nothing yet\n",
      "images/comment/": "",
      "no-list.yml": `hosts: all\nvars:\n  ${suite}\n`,
      "text.yml": "nspawn_runner_ is a prefix\n",
      "images/text/": "",
      "list-of-text.yml": "- nspawn_runner_ is a prefix\n",
      "images/list-of-text/": "",
      "vars-list.yml": `- hosts: all\n  vars:\n    - ${suite}\n`,
      "no-yaml.yml": `${playbook(suite)}  - [\n`,
      "two-documents.yml": `${playbook(suite)}---\n[]\n`,
      "control.yml": playbook(`${suite}\u0001`),
      "tag.yml": playbook("nspawn_runner_mirror: !none http://mirror.test"),
      "no-utf8.yml": bytes,
      "large.yml": large,
      "quotes.yml": playbook(`"nspawn_runner_{{ lookup('pipe', 'touch ${join(directory, "owned")}') }}": 1`),
      "unreadable.yml": playbook(suite),
      "images/directory/": "",
      "directory.yml/": "",
      "images/fifo/": "",
      "symlinked.yml": playbook(suite),
      "filed.yml": playbook(suite),
      "images/filed": "",
    });
    await execa("mkfifo", [join(directory, "fifo.yml"), join(directory, "fifo-without-tree.yml")]);
    await symlink("/nowhere/sid.yml", join(directory, "dangling.yml"));
    await symlink("/etc", imagePath(directory, "symlinked"));
    await chown(join(directory, "unreadable.yml"), 65534, 65534);
    await chmod(join(directory, "unreadable.yml"), 0o600);
    listing = await list(directory, {
      under: ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"],
    });
  });

  test.each([
    ["unknown", unknownVariables.join("; ")],
    ["derived", "LINE 4: nspawn_runner_error is set by the collection and cannot be set here: remove it"],
    ["empty", "FILE: is empty: write a list of plays"],
    ["comment", "FILE: is empty: write a list of plays"],
    ["no-list", "LINE 1: is not a list of plays"],
    ["text", "LINE 1: is not a list of plays"],
    ["list-of-text", "LINE 1: its first entry is not a play"],
    ["vars-list", "LINE 3: the vars of its first play are not a mapping"],
    ["no-yaml", "LINE 6: is not valid YAML: "],
    [
      "two-documents",
      "LINE 6: is not valid YAML: expected a single document in the stream, but found another document",
    ],
    ["control", "LINE 4: is not valid YAML: control characters are not allowed"],
    ["tag", "LINE 4: is not valid YAML: could not determine a constructor for the tag '!none'"],
    ["no-utf8", "LINE 6: is not UTF-8"],
    ["large", "FILE: is larger than 1 MiB"],
    ["quotes", "LINE 4: unknown variable nspawn_runner_{{ lookup("],
    ["unreadable", "FILE: cannot be read: Permission denied"],
    ["dangling", "FILE: cannot be read: No such file or directory"],
    ["directory", "FILE: is not a regular file"],
    ["fifo", "FILE: is not a regular file"],
    ["symlinked", "TREE is a symbolic link, not a tree"],
    ["filed", "TREE is a file, not a tree"],
  ])("%s.yml leaves its image listed, with an error and one warning", (name, template) => {
    const file = join(directory, `${name}.yml`);
    const message = template
      .replaceAll(/LINE (\d+)/g, `${file}:$1`)
      .replace("FILE", file)
      .replace("TREE", imagePath(directory, name));
    expect(listing.hosts[name]?.nspawn_runner_error).toContain(message);
    expect(countOf(`[WARNING]: Image ${name}: ${message}`, listing.stderr)).toBe(1);
  });

  test("gives the image no variable of the playbook, but the group and the paths of a declared image", () => {
    expect(listing.hosts.unknown).not.toHaveProperty("nspawn_runner_chroot_suite");
    expect(listing.hosts.unknown).toMatchObject({
      nspawn_runner_playbook: join(directory, "unknown.yml"),
      nspawn_runner_present: false,
    });
    expect(listing.group("nspawn_runner_declared")).toContain("unknown");
  });

  test("leaves the others alone", () => {
    expect(listing.exitCode).toBe(0);
    expect(listing.hosts.good).toMatchObject({ nspawn_runner_chroot_suite: "sid" });
    expect(listing.hosts.good).not.toHaveProperty("nspawn_runner_error");
    expect(listing.hosts).not.toHaveProperty("fifo-without-tree");
  });

  test("is quoted, never rendered", async () => {
    await writeFile(
      join(directory, "show"),
      "- hosts: quotes\n  gather_facts: false\n  vars: {ansible_connection: local}\n  tasks:\n    - debug: var=nspawn_runner_error\n",
    );
    const { stdout } = await ansible("ansible-playbook", ["-i", "nspawn_runner.yml", "show"], { cwd: directory });
    expect(stdout).toContain("unknown variable nspawn_runner_{{ lookup(");
    expect((await execa("ls", [directory])).stdout).not.toContain("owned");
  });
});

describe("a name that no image can have", () => {
  const directory = scratch("file");
  const names = [
    "a b",
    "a:b",
    "a[1]",
    "a,b",
    "-dash",
    "end.",
    "two..dots",
    "all",
    "ungrouped",
    "localhost",
    "nspawn_runner_missing",
  ];
  const long = "x".repeat(65);
  let listing: Listing;

  beforeAll(async () => {
    await inventoryHost(directory, {
      ".hidden.yml": playbook(suite),
      "images/.hidden/": "",
      "images/good.name_1/": "",
      "images/filelike": "",
    });
    for (const name of [...names, long]) {
      await writeFile(join(directory, `${name}.yml`), playbook(suite));
      await mkdir(imagePath(directory, `tree ${name}`), { recursive: true });
    }
    await mkdir(imagePath(directory, "sid.new"));
    await symlink("good.name_1", imagePath(directory, "stable"));
    listing = await list(directory);
  });

  test("is skipped", () => {
    expect(Object.keys(listing.hosts)).toEqual(["good.name_1"]);
  });

  test.each([...names, long])("gives one warning for a playbook of this name: %s", (name) => {
    const message = `${join(directory, `${name}.yml`)}: no image can have the name '${name}'`;
    expect(countOf(message, listing.stderr)).toBe(1);
  });

  test.each([...names, long])("gives one warning for a tree of this name: tree %s", (name) => {
    expect(countOf(`Skipping the tree '${imagePath(directory, `tree ${name}`)}'`, listing.stderr)).toBe(1);
  });

  test.each([
    ["sid.new", "Skipping the tree"],
    ["stable", "it is a symbolic link, not a tree"],
    ["filelike", "it is a file, not a tree"],
  ])("gives the reason: %s", (name, why) => {
    expect(countOf(imagePath(directory, name), listing.stderr)).toBe(1);
    expect(countOf(why, listing.stderr)).toBeGreaterThan(0);
  });

  test("with a leading dot is private, without a warning", () => {
    expect(listing.stderr).not.toContain("hidden");
  });
});

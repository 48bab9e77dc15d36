// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Hostile trees: the inventory follows no link in a tree, waits for no file and renders no text.

import { existsSync } from "node:fs";
import { chmod, mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, test } from "vitest";
import { ansible } from "../support/ansible.ts";
import { imagePath, inventoryFile, inventoryHost, type Listing, list } from "../support/inventory-host.ts";
import { scratch } from "../support/scratch.ts";

const directory = scratch("file");
const owned = join(directory, "owned");
const poison = `{{ lookup('pipe', 'touch ${owned}') }}`;
const inTree = (path: string): string => imagePath(directory, path);
let listing: Listing;

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(inTree(path)), { recursive: true });
  await symlink(target, inTree(path));
}

beforeAll(async () => {
  await inventoryHost(directory, {
    "host/os-release": "ID=secret\n",
    "host/python3": "",
    "images/poison/etc/os-release": `ID="${poison}"\nVERSION_ID='[[ ${owned} ]]'\nPRETTY_NAME="{% raw %}x"\nVERSION_CODENAME="open\n`,
    "images/shell/etc/os-release": `ID=$(touch ${owned})\nVERSION_ID="\`touch ${owned}\`"\nPRETTY_NAME="a \\"quoted\\" name"\nnospawn\n=x\nID_LIKE=debian\n`,
    "images/binary/etc/os-release": Buffer.concat([
      Buffer.from("ID=bin"),
      Buffer.from([0xff, 0x00, 0x0a]),
      Buffer.from("VERSION_ID=1\n"),
    ]),
    "images/large/etc/os-release": "ID=large\n",
    "images/fifo/etc/": "",
    "images/directory/etc/os-release/": "",
    "images/directory/usr/lib/os-release": "ID=fallback\n",
  });
  await truncate(inTree("large/etc/os-release"), 2 ** 30);
  await execa("mkfifo", [inTree("fifo/etc/os-release")]);
  const host = join(directory, "host");
  await link(join(host, "os-release"), "link/etc/os-release");
  await link(join("../../../../host/os-release"), "link/usr/lib/os-release");
  await link(host, "link-directory/etc");
  await link(directory, "link-directory/usr");
  await mkdir(join(directory, "lib"));
  await writeFile(join(directory, "lib/os-release"), "ID=secret\n");
  await mkdir(join(directory, "bin"));
  await writeFile(join(directory, "bin/python3"), "");
  await link("/nowhere/python3", "poison/usr/bin/python3");
  listing = await list(directory);
});

describe("os-release", () => {
  test.each(["link", "link-directory", "large", "fifo"])("is ignored where the file is a %s", (name) => {
    expect(listing.hosts[name]).toMatchObject({ nspawn_runner_present: true });
    expect(listing.hosts[name]).not.toHaveProperty("nspawn_runner_os");
  });

  test("is read from the second path where the first is no regular file", () => {
    expect(listing.hosts.directory?.nspawn_runner_os).toEqual({ id: "fallback" });
  });

  test("is plain text, without lines that cannot be parsed", () => {
    expect(listing.hosts.poison?.nspawn_runner_os).toEqual({
      id: poison,
      version_id: `[[ ${owned} ]]`,
      pretty_name: "{% raw %}x",
    });
    expect(listing.hosts.shell?.nspawn_runner_os).toEqual({
      version_id: `\`touch ${owned}\``,
      pretty_name: 'a "quoted" name',
    });
    expect(listing.hosts.binary?.nspawn_runner_os).toMatchObject({ version_id: "1" });
  });

  test("is never rendered: not by a task, not by compose, not by keyed_groups, not by a template with other delimiters", async () => {
    const options =
      "compose: {label: nspawn_runner_os.id, text: \"'x' ~ nspawn_runner_os.version_id\"}\nkeyed_groups: [{key: nspawn_runner_os.id, prefix: os}]\n";
    await writeFile(join(directory, "composed.nspawn_runner.yml"), inventoryFile + options);
    await writeFile(
      join(directory, "show.yml"),
      `- hosts: poison
  gather_facts: false
  vars: {ansible_connection: local, indirect: "{{ nspawn_runner_os.id }}", brackets: "[[ nspawn_runner_os.version_id ]]"}
  tasks:
    - debug: msg="{{ nspawn_runner_os }}"
    - debug: msg="{{ nspawn_runner_os.id }} {{ indirect }} {{ label }} {{ text }}"
    - debug: var=nspawn_runner_os.id
    - set_fact: {kept: "{{ nspawn_runner_os.id }}"}
    - debug: msg="{{ kept }}"
    - template: {src: show.j2, dest: shown, variable_start_string: "[[", variable_end_string: "]]"}
`,
    );
    await writeFile(join(directory, "show.j2"), "[[ nspawn_runner_os.version_id ]] [[ brackets ]]\n");
    for (const inventory of ["nspawn_runner.yml", "composed.nspawn_runner.yml"]) {
      const extra = inventory === "nspawn_runner.yml" ? ["-e", "label=x text=y"] : [];
      const run = await ansible("ansible-playbook", ["-i", inventory, ...extra, "show.yml"], { cwd: directory });
      expect(run.stdout).toContain("touch ");
      expect(run.exitCode, run.stdout + run.stderr).toBe(0);
      expect(existsSync(owned)).toBe(false);
    }
  });
});

test("a tree's python3 is looked for without following a link in the path, and python3 as a link is not followed", () => {
  expect(listing.hosts.poison).toMatchObject({ ansible_python_interpreter: "/usr/bin/python3" });
  expect(listing.hosts["link-directory"]).not.toHaveProperty("ansible_python_interpreter");
  expect(listing.hosts.fifo).not.toHaveProperty("ansible_python_interpreter");
});

test("nothing in a tree is executed when an inventory is listed", async () => {
  await mkdir(inTree("programs/usr/bin"), { recursive: true });
  for (const program of ["python3", "sh", "os-release"]) {
    await writeFile(inTree(`programs/usr/bin/${program}`), `#!/bin/sh\ntouch ${owned}\n`);
    await chmod(inTree(`programs/usr/bin/${program}`), 0o755);
  }
  await list(directory);
  expect(existsSync(owned)).toBe(false);
  await rm(inTree("programs"), { recursive: true });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Large, empty and binary data, and all file names, through the connection; and modules that misbehave.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { addTransfer, connectionHost, onThisHost, sessionOf, succeeded } from "../support/connection-host.ts";
import { files } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

const host = await connectionHost(undefined, "file");

test.each([
  ["with Python", async () => host, 5],
  // Two contents: each command starts a container.
  ["without Python", () => connectionHost(busyboxTree), 2],
])("empty and binary content under any name comes through unchanged, in a tree %s", async (_tree, at, contents) => {
  const { directory, run } = await at();
  await addTransfer(directory);
  await mkdir(join(directory, "files/back"), { recursive: true });
  const result = await run(`
- {transfer: {do: every, directory: ${directory}/files, contents: ${contents}}, register: every}
- ansible.builtin.assert: {that: not every.wrong}`);
  expect(result.stdout).toMatch(succeeded);
  expect(result.stdout).toContain("ok=2");
});

test("no process of the collection holds the whole of a 2 GB file, or more than 64 MiB of a 500 MB output", async () => {
  const { directory, tree, run } = host;
  await addTransfer(directory);
  await execa("truncate", ["--size=2G", join(directory, "large")]);
  await execa("mkfifo", [join(directory, "fifo")]);
  const all = "all() { echo $1; for child in $(pgrep --parent $1); do all $child; done; }";
  const limit = `${all}; for pid in $(all $(pgrep --full '${sessionOf(tree)}')); do prlimit --pid $pid --as=200000000; done`;
  // The part of an output that is kept is copied once.
  const result = await run(`
- ansible.builtin.raw: truncate --size=2G /root/large; mkfifo /root/fifo; (wc -c </root/fifo >/root/count 2>&1 &)
- ${onThisHost(limit)}
- transfer: {do: put_file, with: [${directory}/large, /root/fifo], room: 50000000}
- {ansible.builtin.raw: "until [ -s /root/count ]; do sleep 0.1; done; cat /root/count", register: put}
- ${onThisHost(`(wc -c <${directory}/fifo >${directory}/count 2>&1 &)`)}
- transfer: {do: fetch_file, with: [/root/large, ${directory}/fifo], room: 50000000}
- transfer: {do: exec_command, with: [head -c 500000000 /dev/zero], room: 250000000}
  register: output
- ${onThisHost(`timeout 120 sh -c 'until [ -s ${directory}/count ]; do sleep 0.1; done'`)}
- ansible.builtin.assert:
    that:
    - put.stdout | trim == '2147483648'
    - lookup('file', '${directory}/count') == '2147483648'
    - output.rc == 0 and output.printed > 64 * 1024 * 1024 and output.printed < 64 * 1024 * 1024 + 200`);
  expect(result.stdout).toMatch(succeeded);
  expect(result.stdout).toContain("ok=9");
});

test("modules that print nothing or garbage, or leave a daemon behind, fail or succeed as on other connections", async () => {
  const { directory, run } = host;
  const module = (text: string): string =>
    `#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\n${text}\n`;
  await files(join(directory, "library"), {
    "silent.py": module("AnsibleModule(argument_spec={})"),
    "garbage.py": module("import os\nos.write(1, bytes(range(256)) * 400)\nos.write(2, b'\\xff{}' * 9)"),
    // The daemon holds the streams of the task, and writes for ever.
    "daemon.py": module(`import os, time
if os.fork() == 0:
    os.setsid()
    while True:
        os.write(2, b"x" * 4096)
AnsibleModule(argument_spec={}).exit_json(changed=True)`),
    "deaf.py": module("import os\nos.close(0)\nAnsibleModule(argument_spec={}).exit_json(deaf=True)"),
  });
  const result = await run(`
- {silent: , register: silent, ignore_errors: true}
- {garbage: , register: garbage, ignore_errors: true}
- {daemon: , register: daemon}
- {deaf: , register: deaf}
- ansible.builtin.ping:
- ansible.builtin.assert:
    that: [silent is failed, garbage is failed, daemon is changed, deaf.deaf]`);
  expect(result.stdout).toMatch(succeeded);
  expect(result.stdout + result.stderr).not.toContain("Unexpected failure");
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The output of the collection's playbooks goes to a program that stops reading.

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ansibleEnvironment, ansibleProgram } from "../support/ansible.ts";
import { playbook, type RunnerHost, runnerHost } from "../support/runner-host.ts";

/** The exit status of ansible-playbook at the head of a pipeline; 137 when ansible-playbook runs for more than three minutes. */
async function piped(host: RunnerHost, playbook: string, reader: string): Promise<number> {
  const script = `timeout --signal=KILL 180 "$0" -i nspawn_runner.yml "$1" ${reader}; exit "\${PIPESTATUS[0]}"`;
  const { exitCode } = await execa("/bin/bash", ["-c", script, ansibleProgram("ansible-playbook"), playbook], {
    cwd: host.directory,
    env: ansibleEnvironment(),
    stdin: "ignore",
    reject: false,
  });
  return exitCode ?? -1;
}

test("a maintenance whose output is no longer read still completes, and so does a list of generations", async () => {
  const images = ["aa", "bb"];
  const host = await runnerHost({}, images);
  // More than a pipe holds.
  const print = `- debug: {msg: "{{ 'x' * 1500 }}"}\n  loop: "{{ range(50) | list }}"`;
  for (const reader of ["| head -n 1", "| head -n 6", "2>&1 | head -n 1"]) {
    const write = `- raw: echo '${reader}' >/etc/word`;
    for (const image of images)
      await writeFile(join(host.directory, `${image}.yml`), playbook(image, `${print}\n${write}`));
    expect.soft(await piped(host, "site.yml", reader), reader).toBe(0);
    for (const image of images) {
      expect.soft(readFileSync(join(host.root, image, "etc/word"), "utf8").trim()).toBe(reader);
      const { last_run } = JSON.parse(readFileSync(host.state(image, "state.json"), "utf8"));
      expect.soft(last_run.result, reader).toBe("published");
    }
  }
  expect(await piped(host, "nspawn.runner.generations", "| head -n 1")).toBe(0);
});

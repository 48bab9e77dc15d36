// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm run demo`: the README's quick start, on this machine, in directories of its own.

import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { installArtifact } from "../artifact/install.ts";
import { ansibleOnTerminal, type PlaybookRun } from "../tool/ansible.ts";
import { asRoot, hostPackages, installPackages } from "../tool/apt.ts";
import { run } from "../tool/run.ts";

const images = ["bookworm", "trixie"];

/**
 * Builds and installs the artifact, creates two images, maintains them twice, and checks that the second time changed nothing.
 * Then one maintenance fails, one is published, and that is rolled back.
 *
 * @returns 0 when each step did what it should, else 1.
 */
export async function demo(print: (line: string) => void): Promise<number> {
  const started = performance.now();
  const base = resolve("build/demo");
  const collections = join(base, "collections");
  const root = join(base, "images");
  const step = (text: string): void => print(`\n[${seconds(started)} s] ${text}`);

  step("Debian packages of a runner host");
  await installPackages(hostPackages, print);

  step(`The artifact, installed by ansible-galaxy in ${collections}`);
  await rm(collections, { recursive: true, force: true });
  const built = await installArtifact(collections, print);
  if (built !== 0) return built;
  // The examples play /etc/nspawn-runner: Ansible warns of playbooks whose path is inside a collection.
  const examples = join(base, "nspawn-runner");
  await rm(examples, { force: true });
  await symlink("collections/ansible_collections/nspawn/runner/examples", examples);
  const env = {
    ANSIBLE_CONFIG: join(examples, "ansible.cfg"),
    ANSIBLE_COLLECTIONS_PATH: collections,
    ANSIBLE_FORCE_COLOR: process.stdout.isTTY ? "1" : "0",
    NSPAWN_RUNNER_ROOT: root,
  };
  await asRoot("mkdir", ["--parents", "--mode=0700", root], {});
  const ansible = async (argv: readonly [string, ...string[]]): Promise<PlaybookRun> => {
    print(`\n$ ${argv.join(" ")}`);
    return ansibleOnTerminal(argv, { cwd: base, env });
  };
  const playbook = (name: string): Promise<PlaybookRun> =>
    ansible(["ansible-playbook", "-i", "nspawn-runner/nspawn_runner.yml", name, "--limit", images.join(",")]);

  step(`Missing images of ${images.join(" and ")}, created in parallel in ${root}`);
  const created = await playbook("nspawn.runner.create");
  if (created.exitCode !== 0) return failed(print, "The creation failed; its messages are above.");

  step("Maintenance: each image's own playbook, inside the image");
  const first = await playbook("nspawn-runner/site.yml");
  if (!isClean(first)) return failed(print, "The maintenance failed; its messages are above.");

  step("The images as Ansible sees them");
  await ansible(["ansible-inventory", "-i", "nspawn-runner/nspawn_runner.yml", "--graph"]);

  step("Maintenance again, which has nothing to do");
  const second = await playbook("nspawn-runner/site.yml");
  if (!isClean(second)) return failed(print, "The second maintenance failed; its messages are above.");
  const changed = images.filter((image) => second.recap.get(image)?.changed !== 0);
  if (changed.length > 0) return failed(print, `The second maintenance changed ${changed.join(" and ")}.`);

  const version = join(root, "trixie", "etc/ci-version");
  await mkdir(join(base, "next"), { recursive: true });
  for (const [name, text] of Object.entries(next)) await writeFile(join(base, "next", name), text);
  const maintainNext = (...options: readonly string[]): Promise<PlaybookRun> =>
    ansible([
      "ansible-playbook",
      "-i",
      "next/nspawn_runner.yml",
      "nspawn.runner.maintenance",
      "--limit",
      "trixie",
      ...options,
    ]);

  step("A maintenance that fails in its last task: the image stays as it is");
  const broken = await maintainNext("-e", "broken=true");
  if (broken.exitCode !== 2) return failed(print, "The maintenance should have failed.");
  if (await isThere(version)) return failed(print, "The failed maintenance changed the image.");

  step("The same without the mistake: published, in one step");
  const published = await maintainNext();
  if (published.exitCode !== 0 || !(await isThere(version))) return failed(print, "Nothing was published.");

  const trixie = (name: string): Promise<PlaybookRun> =>
    ansible(["ansible-playbook", "-i", "nspawn-runner/nspawn_runner.yml", name, "--limit", "trixie"]);
  step("The trees of the image, and the one before back in its place");
  await trixie("nspawn.runner.generations");
  const back = await trixie("nspawn.runner.rollback");
  if (back.exitCode !== 0 || (await isThere(version))) return failed(print, "The image was not rolled back.");
  const released = await trixie("nspawn.runner.release");
  if (released.exitCode !== 0) return failed(print, "The image was not released.");

  print(
    `\nBoth images are up to date, the second run changed nothing, a failure left its image alone, and a rollback worked. ${seconds(started)} s in all.`,
  );
  print(
    `The files are in ${examples},\nthe trees in ${root} (sudo rm -rf --one-file-system ${base} removes everything).`,
  );
  return 0;
}

/** What somebody changes in the image next, and gets wrong at first. */
const next = {
  "nspawn_runner.yml": "plugin: nspawn.runner.chroots\n",
  "trixie.yml": `---
- name: The next version of the image
  hosts: trixie
  gather_facts: false
  vars:
    nspawn_runner_chroot_suite: trixie
    nspawn_runner_packages: [ca-certificates]
  tasks:
    - name: Change the image
      ansible.builtin.copy:
        content: "2\\n"
        dest: /etc/ci-version
        mode: "0644"

    - name: Break
      ansible.builtin.command: /usr/bin/false
      when: broken | default(false)
`,
};

/** Asked by a program: only root can look into the root directory. */
async function isThere(path: string): Promise<boolean> {
  const sudo = process.getuid?.() === 0 ? [] : ["sudo"];
  const [command = "sudo", ...rest] = [...sudo, "test", "-e", path];
  return (await run(command, rest, { from: "Debian's package sudo", answers: [0, 1] })).exitCode === 0;
}

const isClean = ({ exitCode, recap }: PlaybookRun): boolean =>
  exitCode === 0 && images.every((image) => recap.get(image)?.failed === 0 && recap.get(image)?.unreachable === 0);

function failed(print: (line: string) => void, sentence: string): number {
  print(`\n${sentence}`);
  return 1;
}

const seconds = (started: number): string => ((performance.now() - started) / 1000).toFixed(0);

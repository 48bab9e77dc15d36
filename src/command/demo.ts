// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// `npm run demo`: the README's quick start on this machine, in directories of its own.

import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { installArtifact } from "../artifact/install.ts";
import { ansibleOnTerminal, type PlaybookRun } from "../tool/ansible.ts";
import { hostPackages, installPackages } from "../tool/apt.ts";
import type { Print } from "../tool/print.ts";
import { run } from "../tool/run.ts";
import { asRoot, runAsRoot, sudoPackage } from "../tool/sudo.ts";

const images = ["bookworm", "trixie"];
const base = resolve("build/demo");
const collections = join(base, "collections");
const root = join(base, "images");
const examples = join(base, "nspawn-runner");
const inventory = "nspawn-runner/nspawn_runner.yml";
/** A file that the next version of trixie writes. */
const version = join(root, "trixie", "etc/ci-version");

/** Title, and an action that returns the reason when the step did not go as it should. */
type Step = readonly [title: string, act: (print: Print) => Promise<string | null>];

const steps: readonly Step[] = [
  ["Debian packages of a runner host", packages],
  [`The artifact, installed by ansible-galaxy in ${collections}`, install],
  [`Missing images of ${images.join(" and ")}, created in parallel in ${root}`, create],
  ["Maintenance: each image's own playbook, inside the image", maintain],
  ["The images as Ansible sees them", list],
  ["Maintenance again, which has nothing to do", maintainAgain],
  ["A maintenance that fails in its last task: the image stays as it is", breakNext],
  ["The same without the mistake: published, in one step", publishNext],
  ["The trees of the image, and the one before back in its place", rollBack],
];

/**
 * Builds and installs the artifact, creates two images, maintains them twice, and checks that the second time changed nothing.
 * Then one maintenance fails, one is published, and the published one is rolled back.
 *
 * @returns 0 when each step went as it should, else 1.
 */
export async function demo(print: Print): Promise<number> {
  const started = performance.now();
  const seconds = (): string => ((performance.now() - started) / 1000).toFixed(0);
  for (const [title, act] of steps) {
    print(`\n[${seconds()} s] ${title}`);
    const failure = await act(print);
    if (failure === null) continue;
    print(`\n${failure}`);
    return 1;
  }
  print(
    `\nBoth images are up to date, the second run changed nothing, a failure left its image alone, and a rollback worked. ${seconds()} s in all.`,
  );
  print(
    `The files are in ${examples},\nthe trees in ${root} (sudo rm -rf --one-file-system ${base} removes everything).`,
  );
  return 0;
}

async function packages(print: Print): Promise<null> {
  await installPackages(hostPackages, print);
  return null;
}

async function install(print: Print): Promise<string | null> {
  await rm(collections, { recursive: true, force: true });
  if ((await installArtifact(collections, print)) !== 0) return "The artifact was not built; the reasons are above.";
  // The examples play /etc/nspawn-runner: Ansible warns of playbooks whose path is inside a collection.
  await rm(examples, { force: true });
  await symlink("collections/ansible_collections/nspawn/runner/examples", examples);
  await runAsRoot(["mkdir", "--parents", "--mode=0700", root]);
  return null;
}

async function create(print: Print): Promise<string | null> {
  const { exitCode } = await playbook(print, "nspawn.runner.create", images);
  return exitCode === 0 ? null : "The creation failed; its messages are above.";
}

async function maintain(print: Print): Promise<string | null> {
  const maintained = await playbook(print, "nspawn-runner/site.yml", images);
  return isClean(maintained) ? null : "The maintenance failed; its messages are above.";
}

async function list(print: Print): Promise<null> {
  await ansible(print, ["ansible-inventory", "-i", inventory, "--graph"]);
  return null;
}

async function maintainAgain(print: Print): Promise<string | null> {
  const maintained = await playbook(print, "nspawn-runner/site.yml", images);
  if (!isClean(maintained)) return "The second maintenance failed; its messages are above.";
  const changed = images.filter((image) => maintained.recap.get(image)?.changed !== 0);
  return changed.length === 0 ? null : `The second maintenance changed ${changed.join(" and ")}.`;
}

async function breakNext(print: Print): Promise<string | null> {
  await mkdir(join(base, "next"), { recursive: true });
  for (const [name, text] of Object.entries(next)) await writeFile(join(base, "next", name), text);
  const { exitCode } = await maintainNext(print, "-e", "broken=true");
  if (exitCode !== 2) return "The maintenance should have failed.";
  return (await exists(version)) ? "The failed maintenance changed the image." : null;
}

async function publishNext(print: Print): Promise<string | null> {
  const { exitCode } = await maintainNext(print);
  return exitCode === 0 && (await exists(version)) ? null : "Nothing was published.";
}

async function rollBack(print: Print): Promise<string | null> {
  await playbook(print, "nspawn.runner.generations", ["trixie"]);
  const rolledBack = await playbook(print, "nspawn.runner.rollback", ["trixie"]);
  if (rolledBack.exitCode !== 0 || (await exists(version))) return "The image was not rolled back.";
  const released = await playbook(print, "nspawn.runner.release", ["trixie"]);
  return released.exitCode === 0 ? null : "The image was not released.";
}

const playbook = (print: Print, name: string, limit: readonly string[]): Promise<PlaybookRun> =>
  ansible(print, ["ansible-playbook", "-i", inventory, name, "--limit", limit.join(",")]);

/** Maintains trixie with its next version's playbook. */
function maintainNext(print: Print, ...options: readonly string[]): Promise<PlaybookRun> {
  const limited = ["nspawn.runner.maintenance", "--limit", "trixie"];
  return ansible(print, ["ansible-playbook", "-i", "next/nspawn_runner.yml", ...limited, ...options]);
}

async function ansible(print: Print, argv: readonly [string, ...string[]]): Promise<PlaybookRun> {
  print(`\n$ ${argv.join(" ")}`);
  const env = {
    ANSIBLE_CONFIG: join(examples, "ansible.cfg"),
    ANSIBLE_COLLECTIONS_PATH: collections,
    ANSIBLE_FORCE_COLOR: process.stdout.isTTY ? "1" : "0",
    NSPAWN_RUNNER_ROOT: root,
  };
  return ansibleOnTerminal(argv, { cwd: base, env });
}

/** The next version of the image, with a mistake that a variable turns on. */
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

/** Asks a program: only root can look into the root directory. */
async function exists(path: string): Promise<boolean> {
  const [program, ...args] = asRoot(["test", "-e", path]);
  return (await run(program, args, { from: sudoPackage, answers: [0, 1] })).exitCode === 0;
}

const isClean = ({ exitCode, recap }: PlaybookRun): boolean =>
  exitCode === 0 && images.every((image) => recap.get(image)?.failed === 0 && recap.get(image)?.unreachable === 0);

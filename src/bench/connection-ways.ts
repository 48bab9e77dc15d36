// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The ways into a tree that the bench table "connection" compares, and the playbooks that each way runs.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { debianSource } from "../tool/debian-tree.ts";
import type { Print } from "../tool/print.ts";
import { pythonVersion, virtualEnvironment } from "../tool/python.ts";
import { run, ToolError } from "../tool/run.ts";

/** A way of Ansible into the trees: an inventory of four hosts, and the environment of the run. */
export interface Way {
  readonly name: string;
  readonly inventory: string;
  /** Target directory of the copies. */
  readonly target: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Ways {
  readonly local: Way;
  readonly blog: Way;
  /** The collection's connection plugin. */
  readonly plugin: Way;
  /** All ways, in the order of the table. */
  readonly all: readonly Way[];
}

export interface Work {
  readonly name: string;
  readonly playbook: string;
  readonly hosts: readonly string[];
}

export const command: Work = { name: "30 x command", playbook: "command.yml", hosts: ["one"] };
export const copy: Work = { name: "30 x copy", playbook: "copy.yml", hosts: ["one"] };
export const setup: Work = { name: "5 x setup", playbook: "setup.yml", hosts: ["one"] };
export const fourImages: Work = { ...command, name: "4 images x 30 command", hosts: ["one", "two", "three", "four"] };
/** Tasks without Python in the target: the least time that any task needs over `local`. */
export const raw: Work = { name: "30 x raw", playbook: "raw.yml", hosts: ["one"] };
export const oneTask: Work = { name: "1 x command", playbook: "one.yml", hosts: ["one"] };

const TASKS = 30;

/** As in the blog post at the origin of nspawn-runner. The first two options are needed where systemd is not PID 1. */
const BLOG_SCRIPT = `#!/bin/sh
exec systemd-nspawn --register=no --keep-unit --console=pipe -qD "$@"
`;

const MITOGEN = "mitogen==0.3.54";

/** Makes the trees, the inventories and the playbooks in a directory. */
export async function ways(directory: string, collections: string, print: Print): Promise<Ways> {
  const root = join(directory, "images");
  mkdirSync(root, { mode: 0o700 });
  for (const image of fourImages.hosts)
    await run("cp", ["--archive", "--reflink=auto", await debianSource("trixie"), join(root, image)], {
      from: "every system",
    });
  writePlaybooks(directory);
  const script = join(directory, "blog-script");
  writeFileSync(script, BLOG_SCRIPT);
  chmodSync(script, 0o755);
  const wrapper = join(collections, "ansible_collections/nspawn/runner/playbooks/files/nspawn-chroot");
  const chroot = (name: string, exe: string): Way => {
    const connection = { ansible_connection: "community.general.chroot", ansible_chroot_exe: exe };
    return way(directory, `chroot and ${name}`, connection);
  };
  // The short name, since Mitogen replaces `local` under this name only.
  const local = way(directory, "local", { ansible_connection: "local" });
  const blog = chroot("the blog's script", script);
  const plugin = { name: "nspawn.runner.nspawn", inventory: "nspawn_runner.yml", target: "/root/bench", env: {} };
  const inventory = { plugin: "nspawn.runner.chroots", root, playbook_dirs: ["."] };
  writeFileSync(join(directory, plugin.inventory), JSON.stringify(inventory));
  const others = [chroot("plain chroot", "/usr/sbin/chroot"), blog, chroot("nspawn-chroot", wrapper)];
  return { local, blog, plugin, all: [local, ...others, plugin, ...(await mitogen(local, print))] };
}

/** Writes the inventory of one way, which contains no template. */
function way(directory: string, name: string, connection: Readonly<Record<string, string>>): Way {
  const host = (image: string) => ({
    ...connection,
    ansible_host: join(directory, "images", image),
    ansible_python_interpreter: "/usr/bin/python3",
  });
  const hosts = Object.fromEntries(fourImages.hosts.map((image) => [image, host(image)]));
  const inventory = `${name.replaceAll(/\W+/g, "-")}.json`;
  writeFileSync(join(directory, inventory), JSON.stringify({ all: { hosts } }));
  const target = name === "local" ? join(directory, "copies") : "/root/bench";
  return { name, inventory, target, env: {} };
}

/** Mitogen has no way into a chroot. It shows the best speed of Ansible without a container. */
async function mitogen(local: Way, print: Print): Promise<readonly Way[]> {
  try {
    const bin = await virtualEnvironment([MITOGEN], print);
    const packages = join(bin, `../lib/python${await pythonVersion()}/site-packages`);
    const strategies = join(packages, "ansible_mitogen/plugins/strategy");
    const env = { PYTHONPATH: packages, ANSIBLE_STRATEGY: "mitogen_linear", ANSIBLE_STRATEGY_PLUGINS: strategies };
    return [{ ...local, name: `${MITOGEN.replace("==", " ")} over local`, env }];
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    print(`connection: without Mitogen, which cannot be installed from PyPI: ${error.message}`);
    return [];
  }
}

function writePlaybooks(directory: string): void {
  const write = (work: Work, tasks: readonly object[]) =>
    writeFileSync(
      join(directory, work.playbook),
      // JSON is YAML too.
      JSON.stringify([{ hosts: "all", gather_facts: false, tasks }]),
    );
  const times = (count: number, task: (number: number) => object) => Array.from({ length: count }, (_, n) => task(n));
  const trueCommand = { "ansible.builtin.command": "/bin/true" };
  write(
    command,
    times(TASKS, () => trueCommand),
  );
  write(oneTask, [trueCommand]);
  write(
    raw,
    times(TASKS, () => ({ "ansible.builtin.raw": "/bin/true" })),
  );
  write(
    setup,
    times(5, () => ({ "ansible.builtin.setup": {} })),
  );
  write(
    copy,
    // A new text in each run, so that every task copies.
    times(TASKS, (n) => ({ "ansible.builtin.copy": { content: `{{ run }} ${n}\n`, dest: `{{ target }}-${n}` } })),
  );
  writeFileSync(join(directory, "ansible.cfg"), "");
}

let runs = 0;

/** Seconds of one whole ansible-playbook, from its start to its end. */
export async function seconds(
  directory: string,
  collections: string,
  way: Way,
  work: Work,
  pipelining: boolean,
): Promise<number> {
  const variables = { ansible_pipelining: pipelining, run: ++runs, target: way.target };
  const args = ["-i", way.inventory, `--limit=${work.hosts.join()}`, "-e", JSON.stringify(variables), work.playbook];
  const env = {
    // The chroot connection is in Debian's package ansible.
    ANSIBLE_COLLECTIONS_PATH: `${collections}:/usr/lib/python3/dist-packages`,
    ANSIBLE_CONFIG: join(directory, "ansible.cfg"),
    // Each run starts a new session.
    ANSIBLE_NSPAWN_IDLE_TIME: "0",
    // The default of a host.
    PYTHONDONTWRITEBYTECODE: "",
    ...way.env,
  };
  const start = performance.now();
  await run("ansible-playbook", args, { cwd: directory, env, from: "Debian's package ansible" });
  const spent = (performance.now() - start) / 1000;
  // Time for the session to end.
  await sleep(300);
  return spent;
}

/** Tasks of each host. */
export const tasks = TASKS;

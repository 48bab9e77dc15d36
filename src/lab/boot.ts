// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// systemd-nspawn with a lab's systemd in it: its command line, and the process that is PID 1 inside.

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { controlGroups } from "./state.ts";
import { diskDirectories } from "./tree.ts";

/** Directories of the lab that are directories of its state on this machine. */
const disk = diskDirectories.map((directory, index) => ({ directory, source: `disk-${index}` }));

/** Devices of the kernel that a host has and a container has not. Nodes of single loop devices appear on demand. */
const devices = ["/dev/fuse", "/dev/loop-control"];

/** Arguments: the lab's state, its tree, and the flags of systemd-nspawn. */
const script = `
    set -e
    cd "$1"
    mkdir root upper work ${disk.map(({ source }) => source).join(" ")}
    chmod 1777 ${disk.find(({ directory }) => directory === "/var/tmp")?.source}
    mount -t overlay -o "lowerdir=$2,upperdir=upper,workdir=work" lab root
    # systemd makes a scope; without it, two labs would take the same control groups.
    for hierarchy in ${controlGroups.join(" ")}; do
      [ ! -d /run/systemd/system ] && [ -w "$hierarchy/cgroup.procs" ] || continue
      mkdir "$hierarchy/\${1##*/}"
      echo $$ >"$hierarchy/\${1##*/}/cgroup.procs"
    done
    mkdir -p /run/systemd/nspawn/propagate
    mount -t tmpfs -o mode=600 lab /run/systemd/nspawn/propagate
    shift 2
    exec systemd-nspawn "$@" >console.log 2>&1`;

export type Host = ReturnType<typeof boot>;

/**
 * Starts systemd-nspawn, which dies with this process. All processes of the lab die with systemd-nspawn, as they have a PID namespace, and
 * so do the lab's mounts: nothing is left to kill or to unmount, however this process ends.
 */
export function boot(tree: string, state: string, binds: readonly string[]) {
  const [program, ...args] = [...wrappers(), "sh", "-c", script, "lab", state, tree, ...nspawnFlags(state, binds)];
  return execa(program as string, args, {
    // On a machine that still has version 1 of control groups too, systemd 258 and later would not boot otherwise.
    // Without system call filters the lab's systemd can load the BPF programs of its device policies.
    env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1", SYSTEMD_SECCOMP: "0" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    reject: false,
  });
}

/** Programs that the shell runs under, each with its flags. */
const wrappers = (): readonly string[] => [
  ...["setpriv", "--pdeathsig", "KILL"],
  ...(existsSync("/run/systemd/system") ? ["systemd-run", "--scope", "--quiet", "--property=Delegate=yes"] : []),
  ...["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
];

const nspawnFlags = (state: string, binds: readonly string[]): readonly string[] => [
  "--boot",
  "--register=no",
  "--keep-unit",
  "--settings=no",
  "--quiet",
  "--console=pipe",
  "--capability=all",
  "--link-journal=no",
  "--resolv-conf=copy-host",
  `--machine=${basename(state)}`,
  "--hostname=lab",
  `--directory=${join(state, "root")}`,
  ...devices.filter((device) => existsSync(device)).map((device) => `--bind=${device}`),
  ...disk.map(({ directory, source }) => `--bind=${join(state, source)}:${directory}`),
  ...binds.map((bind) => `--bind=${bind}`),
];

/** Waits for the process that is PID 1 in the lab. */
export async function findLeader(host: Host): Promise<number> {
  for (let attempt = 0; attempt < 1200 && host.exitCode === null; attempt++) {
    // The outer child is systemd-nspawn, the first process of its PID namespace; the inner one is the lab's PID 1.
    const leader = children(host.pid).flatMap(children).find(isSystemd);
    if (leader !== undefined) return Number(leader);
    await sleep(50);
  }
  throw new Error("The lab's container did not start.");
}

/** The container's root is in place only once its first process has become systemd. */
function isSystemd(pid: string): boolean {
  const [, ids = ""] = /^NSpid:(.*)$/m.exec(textOf(`/proc/${pid}/status`)) ?? [];
  return ids.trim().split(/\s+/).at(-1) === "1" && textOf(`/proc/${pid}/comm`).trim() === "systemd";
}

const children = (pid: string | number | undefined): string[] =>
  textOf(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean);

/** The text of a file of a process; empty when the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

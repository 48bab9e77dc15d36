// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lab: a Debian host with systemd as PID 1, machined and D-Bus, booted in a container from a cached tree. What it writes is gone
// when it stops.

import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { Suite } from "../tool/mmdebstrap.ts";
import { controlGroups, makeState, removeLeftovers, removeState } from "./state.ts";
import { diskDirectories, labTree } from "./tree.ts";

export interface LabOptions {
  /** Debian suite of the host; trixie unless told. */
  readonly suite?: Suite;
  /** What of this machine the lab sees, writable: `PATH`, or `PATH:PATH IN THE LAB`. */
  readonly binds?: readonly string[];
}

export interface LabResult {
  /** 128 + N when signal N ended the program. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Lab {
  /** The names of units that failed at boot. */
  readonly failedUnits: readonly string[];
  /** Runs a program as root in a scope of its own, to its end. Never throws for its exit status. */
  run(argv: readonly string[], options?: RunOptions): Promise<LabResult>;
  /** Kills the host and removes all that it has written. */
  stop(): Promise<void>;
}

export interface RunOptions {
  /** Added to a plain environment; nothing of this process's own goes in. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Standard input, output and error are this process's own. */
  readonly terminal?: boolean;
}

const bootSeconds = 90;

/**
 * Boots a lab and waits until its boot is complete. The first call makes the tree, which takes some minutes.
 *
 * @throws {ToolError} when the tree cannot be made.
 * @throws {Error} when the boot does not end; the message holds the end of the console.
 */
export async function startLab({ suite = "trixie", binds = [] }: LabOptions = {}): Promise<Lab> {
  await removeLeftovers();
  const tree = await labTree(suite);
  const state = await makeState();
  const host = boot(tree, state, binds);
  const stop = async () => {
    host.kill("SIGKILL");
    await host;
    await removeState(state);
  };
  try {
    const leader = await findLeader(host);
    const failedUnits = await waitForBoot(host, leader);
    const scoped = ["systemd-run", ...(suite === "bookworm" ? [] : literal), ...scope];
    return { failedUnits, stop, run: (argv, options) => enter(leader, [...scoped, ...argv], options) };
  } catch (error) {
    const console = await readFile(join(state, "console.log"), "utf8").catch(() => "");
    await stop();
    throw new Error(`${(error as Error).message}\nThe end of its console:\n${console.trimEnd().slice(-2000)}`);
  }
}

/**
 * Starts systemd-nspawn. It dies with this process, all of the lab with it as they have a PID namespace, and so do its mounts: nothing
 * is left to kill or to unmount, however this process ends.
 */
function boot(tree: string, state: string, binds: readonly string[]) {
  const disk = diskDirectories.map((directory, index) => ({ directory, source: `disk-${index}` }));
  const prepare = `
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
  const flags = [
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
    // Loop devices are the kernel's, not the container's; nodes of single ones appear as they are asked for.
    ...(existsSync("/dev/loop-control") ? ["--bind=/dev/loop-control"] : []),
    ...disk.map(({ directory, source }) => `--bind=${join(state, source)}:${directory}`),
    ...binds.map((bind) => `--bind=${bind}`),
  ];
  const scoped = existsSync("/run/systemd/system")
    ? ["systemd-run", "--scope", "--quiet", "--property=Delegate=yes"]
    : [];
  return execa(
    "setpriv",
    [
      "--pdeathsig",
      "KILL",
      ...scoped,
      "unshare",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "sh",
      "-c",
      prepare,
      "lab",
      state,
      tree,
      ...flags,
    ],
    {
      // On a machine that still has version 1 of control groups too, systemd 258 and later would not boot otherwise.
      // Without system call filters the lab's systemd can load the kernel's programs that its device policies are.
      env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1", SYSTEMD_SECCOMP: "0" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      reject: false,
    },
  );
}

type Host = ReturnType<typeof boot>;

/** The process that is PID 1 in the lab. */
async function findLeader(host: Host): Promise<number> {
  for (let attempt = 0; attempt < 1200 && host.exitCode === null; attempt++) {
    // The outer child is nspawn, the first process of our PID namespace; the inner one is the lab's.
    for (const nspawn of children(host.pid)) {
      for (const child of children(nspawn)) {
        const ids =
          /^NSpid:(.*)$/m
            .exec(readOr(`/proc/${child}/status`))?.[1]
            ?.trim()
            .split(/\s+/) ?? [];
        // Until it is systemd, the container's root is not in place.
        if (ids.at(-1) === "1" && readOr(`/proc/${child}/comm`).trim() === "systemd") return Number(child);
      }
    }
    await sleep(50);
  }
  throw new Error("The lab's container did not start.");
}

/** Waits for the end of the boot, and returns the units that failed. */
async function waitForBoot(host: Host, leader: number): Promise<string[]> {
  const end = Date.now() + bootSeconds * 1000;
  let status = "";
  while (Date.now() < end && host.exitCode === null) {
    status = (await enter(leader, ["systemctl", "is-system-running"])).stdout;
    if (status === "running") return [];
    if (status === "degraded") {
      const { stdout } = await enter(leader, ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]);
      return stdout.split("\n").map((line) => line.split(" ")[0] as string);
    }
    await sleep(100);
  }
  throw new Error(`The lab's boot did not end within ${bootSeconds} seconds; systemd says: ${status || "nothing"}.`);
}

/** In a scope, nested containers have a control group that the lab's systemd knows. */
const scope = ["--scope", "--quiet", "--collect", "--"];

/** Bookworm's systemd-run leaves $ in arguments alone, and has no such option. */
const literal = ["--expand-environment=no"];

async function enter(leader: number, argv: readonly string[], options: RunOptions = {}): Promise<LabResult> {
  const plain = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", HOME: "/root", LANG: "C.UTF-8" };
  const namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
  const { exitCode, signal, stdout, stderr } = await execa(
    "nsenter",
    ["--target", String(leader), ...namespaces, "--", ...argv],
    {
      env: { ...plain, ...(options.terminal ? { TERM: process.env.TERM ?? "dumb" } : {}), ...options.env },
      extendEnv: false,
      reject: false,
      ...(options.terminal ? { stdio: "inherit" as const } : { input: options.input ?? "" }),
    },
  );
  const code = exitCode ?? (signal ? 128 + (constants.signals[signal] ?? 0) : 255);
  return { exitCode: code, stdout: String(stdout ?? ""), stderr: String(stderr ?? "") };
}

const children = (pid: string | number | undefined): string[] =>
  readOr(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean);

function readOr(path: string, otherwise = ""): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lab: a Debian host with systemd as PID 1, machined and D-Bus, booted in a container from a cached tree. What it writes is gone
// when it stops.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { constants } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { cached } from "./cache.ts";

export interface LabOptions {
  /** Debian suite of the host; trixie unless told. */
  readonly suite?: string;
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

/** The packages of a runner host, and what the tests need beside them. */
const packages = [
  "ansible-core",
  "ca-certificates",
  "dbus",
  "debootstrap",
  "iproute2",
  "mmdebstrap",
  "python3",
  "sudo",
  "systemd",
  "systemd-container",
  "systemd-sysv",
  "xz-utils",
  "zstd",
];

/** Written by the lab on this machine's disk and not to an overlay: an overlay cannot lie on an overlay. */
const diskDirectories = ["/var/lib/machines", "/var/lib/nspawn-runner", "/var/tmp"];

/** Where a hierarchy that systemd manages is mounted: unified, hybrid or legacy. */
const controlGroups = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

const stateDirectories = "/var/tmp";
const statePrefix = "nspawn-runner-lab-";
const bootSeconds = 90;

/**
 * Boots a lab and waits until its boot is complete. The first call makes the tree, which takes about a minute.
 *
 * @throws {Error} when the tree cannot be made or the boot does not end; the message holds the end of the console.
 */
export async function startLab({ suite = "trixie", binds = [] }: LabOptions = {}): Promise<Lab> {
  await removeLeftovers();
  const tree = await labTree(suite);
  const state = await mkdtemp(join(stateDirectories, `${statePrefix}${process.pid}-`));
  const host = boot(tree, state, binds);
  const stop = async () => {
    host.kill("SIGKILL");
    await host;
    await removeState(state);
  };
  try {
    const leader = await findLeader(host);
    const failedUnits = await waitForBoot(host, leader);
    return { failedUnits, stop, run: (argv, options) => enter(leader, ["systemd-run", ...scope, ...argv], options) };
  } catch (error) {
    const console = await readFile(join(state, "console.log"), "utf8").catch(() => "");
    await stop();
    throw new Error(`${(error as Error).message}\nThe end of its console:\n${console.trimEnd().slice(-2000)}`);
  }
}

/** The cached tree of a suite; another recipe is another tree. */
function labTree(suite: string): Promise<string> {
  const recipe = [
    "--variant=minbase",
    `--include=${packages.join(",")}`,
    // Empty: the next boot sets it. "uninitialized", as packages leave it, is a first boot that asks questions on the console.
    '--customize-hook=: >"$1/etc/machine-id"',
    // It has the capability to load modules, but there are none in the tree.
    '--customize-hook=ln -s /dev/null "$1/etc/systemd/system/systemd-modules-load.service"',
    // No udev makes them.
    `--customize-hook=for i in $(seq 0 15); do echo "b! /dev/loop$i 0660 root disk - 7:$i"; done >"$1/etc/tmpfiles.d/loop.conf"`,
    ...diskDirectories.map((directory) => `--customize-hook=mkdir -p "$1${directory}"`),
    suite,
  ];
  const key = createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 12);
  return cached(`lab-${suite}-${key}`, async (directory) => {
    await execa("mmdebstrap", ["--quiet", "--format=directory", ...recipe, directory], { stdin: "ignore" });
  });
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
    { stdin: "ignore", stdout: "ignore", stderr: "ignore", reject: false },
  );
}

type Host = ReturnType<typeof boot>;

/** The process that is PID 1 in the lab. */
async function findLeader(host: Host): Promise<number> {
  for (let attempt = 0; attempt < 200 && host.exitCode === null; attempt++) {
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

/** What labs have left whose process was killed. */
async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(stateDirectories)) {
    const pid = name.startsWith(statePrefix) ? name.slice(statePrefix.length).split("-")[0] : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) await removeState(join(stateDirectories, name));
  }
}

async function removeState(state: string): Promise<void> {
  await detachLoopDevices(state);
  // The processes of a lab that was killed take a moment to end; until then their groups are busy.
  const groups = controlGroups
    .map((hierarchy) => join(hierarchy, basename(state)))
    .filter((group) => existsSync(group));
  const remove = ["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"];
  for (let attempt = 0; attempt < 100 && groups.some((group) => existsSync(group)); attempt++) {
    const { exitCode } = await execa("find", [...groups, ...remove], { reject: false });
    if (exitCode !== 0) await sleep(50);
  }
  await execa("chattr", ["-R", "-f", "-i", state], { reject: false });
  await rm(state, { recursive: true, force: true });
}

/** Detaches loop devices over files of the lab: they outlive the processes that have made them. */
async function detachLoopDevices(state: string): Promise<void> {
  const columns = "--output=NAME,BACK-INO,BACK-MAJ:MIN";
  const { stdout } = await execa("losetup", ["--list", "--noheadings", columns], { reject: false });
  const { stdout: disk } = await execa("findmnt", ["--noheadings", "--output=MAJ:MIN", "--target", state]);
  for (const [device, inode, onDisk] of stdout.split("\n").map((line) => line.trim().split(/\s+/))) {
    if (!device || !inode || onDisk !== disk.trim()) continue;
    const found = await execa("find", [state, "-xdev", "-type", "f", "-inum", inode, "-print", "-quit"]);
    if (found.stdout !== "") await execa("losetup", ["--detach", device], { reject: false });
  }
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

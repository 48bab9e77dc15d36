// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Looks at all processes and all listening TCP ports of this machine, again and again, for daemons that the tasks of an image start.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Sightings {
  /** Daemons in this machine's own PID namespace, thus outside of all containers: command lines. */
  readonly outside: readonly string[];
  /** Daemons in containers on the trees: command lines. */
  readonly inside: readonly string[];
  /** Listening ports on this machine's network, of a daemon or of a process in a container on the trees: `PORT of COMMAND`. */
  readonly ports: readonly string[];
}

export interface Watch {
  readonly seen: () => Sightings;
  /** Ends the watch after a last look. */
  readonly stop: () => Sightings;
}

/** Milliseconds between two looks. A daemon lives longer. */
const interval = 100;

/**
 * Watches until `stop` is called.
 *
 * @param daemons Names of processes, as in /proc/PID/comm.
 * @param directory Name of a directory in the path of the trees, and in no other path.
 * @param ports Ports of the daemons: a listener counts also when the process has ended before it was found.
 */
export function watchDaemons(daemons: readonly string[], directory: string, ports: readonly number[]): Watch {
  const here = namespace("self");
  const found = { outside: new Set<string>(), inside: new Set<string>(), ports: new Set<string>() };
  const nameOf = (pid: string) => read(`/proc/${pid}/comm`).trim();
  // Daemons of this machine, and the processes that they fork.
  const present = new Set(numbers().filter((pid) => daemons.includes(nameOf(pid))));
  const listening = new Set(listeners().map(({ inode }) => inode));
  const isOfTree = (pid: string) =>
    ![here, ""].includes(namespace(pid)) && read(`/proc/${pid}/mountinfo`).includes(directory);

  function look(): void {
    for (const pid of numbers()) {
      if (!daemons.includes(nameOf(pid)) || present.has(pid) || present.has(parentOf(pid))) continue;
      if (namespace(pid) === here) found.outside.add(command(pid));
      // A process that has just ended has no command line.
      else if (isOfTree(pid) && command(pid)) found.inside.add(command(pid));
    }
    for (const { inode, port } of listeners()) {
      if (listening.has(inode)) continue;
      // An inode is looked up once: tests that run at the same time have servers too.
      listening.add(inode);
      const owner = ownerOf(inode);
      const known = owner === undefined ? ports.includes(port) : daemons.includes(owner.name) || isOfTree(owner.pid);
      if (known) found.ports.add(`${port} of ${owner ? command(owner.pid) : "a process that has ended"}`);
    }
  }

  const timer = setInterval(look, interval);
  const seen = () => ({ outside: [...found.outside], inside: [...found.inside], ports: [...found.ports] });
  return {
    seen,
    stop: () => {
      clearInterval(timer);
      look();
      return seen();
    },
  };
}

const numbers = (): string[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name));

/** Empty when the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function namespace(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return "";
  }
}

const command = (pid: string): string => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();

const parentOf = (pid: string): string => /^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? "";

/** Listening TCP sockets in this machine's network namespace. */
function listeners(): { inode: string; port: number }[] {
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) =>
    read(path)
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      // The state 0A is LISTEN.
      .filter((cells) => cells[3] === "0A")
      .map((cells) => ({
        inode: cells[9] as string,
        port: Number.parseInt((cells[1] as string).split(":")[1] as string, 16),
      })),
  );
}

function ownerOf(inode: string): { pid: string; name: string } | undefined {
  const socket = `socket:[${inode}]`;
  for (const pid of numbers()) {
    try {
      if (readdirSync(`/proc/${pid}/fd`).some((number) => readlinkSync(`/proc/${pid}/fd/${number}`) === socket))
        return { pid, name: read(`/proc/${pid}/comm`).trim() };
    } catch {} // ended meanwhile
  }
  return undefined;
}

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The costs of a session: memory, start, and a fork of the agent.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../tool/run.ts";

export interface SessionCosts {
  /** Mebibytes of all processes of the session, on the host and in the container, after tasks of several kinds: resident set size, and
   *  proportional set size, which divides shared pages among their users. */
  readonly resident: number;
  readonly proportional: number;
  /** Median of the seconds of an empty Python program in a fork of the agent, started by the collection's functions. */
  readonly fork: number;
}

/** Measures the idle session of a tree, and ends the session. */
export async function sessionCosts(tree: string, collections: string): Promise<SessionCosts> {
  const memory = sessionMemory(tree);
  const { output } = await run("/usr/bin/python3", ["-c", FORKS, tree], {
    env: { PYTHONPATH: collections },
    from: "Debian's package ansible-core",
  });
  return { ...memory, fork: Number(output) };
}

const FORKS = `
import io, os, statistics, sys, time
from ansible import module_utils
from ansible.release import __version__
from ansible_collections.nspawn.runner.plugins.module_utils._session import client, exchange

tree = sys.argv[1]
code = os.path.dirname(module_utils.__file__)
claim = client.claim(tree, code, f"{__version__} {code}", 0, 60)
agent = os.path.join(client.directory(tree), "agent")
spent = []
for _ in range(31):
    start = time.perf_counter()
    with exchange.in_session(exchange.reach(agent), {"command": ["/bin/false"], "python": "/usr/bin/python3"}) as running:
        status, _output, stderr = exchange.exchange(running, claim.run, io.BytesIO(b"pass"), None, 1 << 20)
    spent.append(time.perf_counter() - start)
    assert status == 0, stderr
claim.close()
print(statistics.median(spent))
`;

function sessionMemory(tree: string): Pick<SessionCosts, "resident" | "proportional"> {
  const parents = new Map<number, number>();
  const session: number[] = [];
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const pid = Number(name);
      const stat = readFileSync(join("/proc", name, "stat"), "utf8");
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]));
      const line = readFileSync(join("/proc", name, "cmdline"), "utf8");
      if (line.includes("_session.server import main") && line.includes(`"${tree}"`)) session.push(pid);
    } catch {
      // The process has ended.
    }
  }
  if (session.length === 0) throw new Error(`There is no session on ${tree} to measure.`);
  for (const pid of session) for (const [child, parent] of parents) if (parent === pid) session.push(child);
  const kibibytes = (pid: number, field: string): number => {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      return Number(new RegExp(`^${field}: +(\\d+)`, "m").exec(text)?.[1]);
    } catch {
      // The process is a zombie.
      return 0;
    }
  };
  const sum = (field: string) => session.reduce((total, pid) => total + kibibytes(pid, field) / 1024, 0);
  return { resident: sum("Rss"), proportional: sum("Pss") };
}

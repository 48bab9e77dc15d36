// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Jobs of which a participant is killed at a random moment: the runner, one of the calls, the supervisor, systemd-nspawn, the agent.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, expect, test } from "vitest";
import type { Job, Result } from "../support/gitlab-runner.ts";
import { type JobHost, jobHost, jobProcesses, left, ranges } from "../support/job-host.ts";
import { until } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

const kills = Number(process.env["NSPAWN_RUNNER_KILLS"] ?? 50);
const seed = Number(process.env["NSPAWN_RUNNER_SEED"] ?? Date.now() % 2 ** 31);
/** Hosts at the same time, each with one job at a time. */
const hosts = 3;

const job: Job = {
  image: "img",
  script: ["echo o''ne; sleep 0.2; echo t''wo"],
  afterScript: ["echo a''fter"],
  timeout: 300,
};
const targets = ["runner", "call", "supervisor", "systemd-nspawn", "agent"] as const;
type Target = (typeof targets)[number];

let all: JobHost[];
const directories = Array.from({ length: hosts }, () => scratch("file"));
beforeAll(async () => {
  all = await Promise.all(directories.map((directory) => jobHost(directory, { img: debianTree })));
});

test(`nothing is left after ${kills} kills (seed ${seed})`, async () => {
  let round = 0;
  const struck: Record<string, number> = {};
  const results: Record<string, number> = {};
  await Promise.all(
    all.map(async (host, index) => {
      const random = mulberry32(seed + index * 7919);
      // How long a job takes here and now, with the others beside it.
      const begun = performance.now();
      expect((await host.run(job)).status).toBe("success");
      const duration = performance.now() - begun;
      while (round < kills) {
        const number = ++round;
        const target = targets[Math.floor(random() * targets.length)] as Target;
        const moment = random() * duration;
        const label = `seed ${seed}, host ${index}, kill ${number}: ${target} after ${moment.toFixed(0)} ms`;
        const { hit, result, bases } = await (target === "runner" ? killRunner : killOther)(host, target, moment);
        struck[hit] = (struck[hit] ?? 0) + 1;
        results[result?.status ?? "none"] = (results[result?.status ?? "none"] ?? 0) + 1;
        if (result) expectHonest(result, label);
        // The next prepare or the timer removes the rest.
        const sweep = await host.call(["sweep"]);
        expect(sweep, label).toMatchObject({ exitCode: 0 });
        await until(() => left(host).length === 0).catch(() => expect(left(host), label).toEqual([]));
        expect(
          ranges().filter((base) => bases.has(base)),
          label,
        ).toEqual([]);
      }
      // The host is as before.
      expect((await host.run(job)).status).toBe("success");
    }),
  );
  console.log(`seed ${seed}: ${JSON.stringify({ struck, results })}`);
  expect(Object.keys(struck).length).toBeGreaterThan(3);
}, 1_200_000);

/** A job has its true result, or a failure of the system: the script never fails by itself. */
function expectHonest({ status, failure, log, reason }: Result, label: string): void {
  const lines = log.split("\n");
  expect(log, label).not.toContain("Traceback");
  if (status === "success") {
    expect(
      ["one", "two"].filter((word) => !lines.includes(word)),
      label + log,
    ).toEqual([]);
    // A runner ignores the result of after_script.
    expect(log, label).toMatch(/^after$|^WARNING: after_script failed/m);
  } else
    expect({ status, failure }, `${label}\n${reason}\n${log}`).toEqual({
      status: "failed",
      failure: "runner_system_failure",
    });
}

interface Struck {
  readonly hit: string;
  readonly result?: Result;
  /** Ranges of user ids of the job. */
  readonly bases: Set<string>;
}

/** Kills one process of a job, and lets the runner go on. */
async function killOther(host: JobHost, target: Target, moment: number): Promise<Struck> {
  const bases = new Set<string>();
  const build = host.start(job);
  let ended = false;
  void build.result.then(() => {
    ended = true;
  });
  const pid = () => (target === "call" ? build.process : find(host, target));
  const hit = await strike(host, moment, () => ended, pid, bases);
  return { hit: hit ? target : "nothing", result: await build.result, bases };
}

/** Kills the runner. Its calls go on. */
async function killRunner(host: JobHost, _target: Target, moment: number): Promise<Struck> {
  const bases = new Set<string>();
  const file = join(host.directory, "job.json");
  await writeFile(file, JSON.stringify({ options: host.options(), job }));
  const source = join(import.meta.dirname, "../support/gitlab-runner.ts");
  const runner = spawn(process.execPath, ["--import", "tsx", source, file], { stdio: ["ignore", "pipe", "inherit"] });
  let ended = false;
  const end = new Promise<void>((done) =>
    runner.once("close", () => {
      ended = true;
      done();
    }),
  );
  const lines = createInterface(runner.stdout);
  // The first call: before it, a runner has no job.
  await new Promise<void>((done) => lines.once("line", () => done()));
  let last = "";
  lines.on("line", (line) => {
    last = line;
  });
  const hit = await strike(
    host,
    moment,
    () => ended,
    () => runner.pid,
    bases,
  );
  await end;
  // The calls of a killed runner come to their end.
  await until(() =>
    jobProcesses(host).every(
      ({ command }) => !/nspawn-runner (?:gitlab-config|prepare|run) ?/.test(command) || command.includes("supervisor"),
    ),
  );
  const result = hit ? undefined : (JSON.parse(last) as Result);
  return { hit: hit ? "runner" : "nothing", ...(result ? { result } : {}), bases };
}

/** Waits for the moment and for the process, and kills it. Whether there was one before the end of the job. */
async function strike(
  host: JobHost,
  moment: number,
  ended: () => boolean,
  find: () => number | undefined,
  bases: Set<string>,
): Promise<boolean> {
  const due = performance.now() + moment;
  for (; !ended(); await new Promise((done) => setTimeout(done, 2))) {
    if (performance.now() < due) continue;
    for (const base of ranges(host)) bases.add(base);
    const pid = find();
    if (pid === undefined) continue;
    try {
      process.kill(pid, "SIGKILL");
      return true;
    } catch {} // ended meanwhile
  }
  return false;
}

function find(host: JobHost, target: Target): number | undefined {
  const found = jobProcesses(host);
  const nspawn = found.find(({ command }) => /^(?:\S*\/)?systemd-nspawn /.test(command));
  if (target === "systemd-nspawn") return nspawn?.pid;
  if (target === "agent") return found.find(({ pid }) => isFirst(pid))?.pid;
  // The oldest process that is neither a call of the runner nor in the container.
  for (let process = nspawn; process; process = found.find(({ pid }) => pid === process?.parent))
    if (!found.some(({ pid }) => pid === process?.parent)) return process.pid;
  return undefined;
}

/** Whether the process is the first one of a container, in a namespace below that of the supervisor. */
function isFirst(pid: number): boolean {
  try {
    return /^NSpid:(?:\t\d+){2,}\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // ended meanwhile
  }
}

/** Random numbers from 0 to 1; the same seed gives the same numbers. */
function mulberry32(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

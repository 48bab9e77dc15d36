// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A host with images, on which the program nspawn-runner starts jobs for the double of GitLab Runner.

import { mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa, type Options } from "execa";
import { collectionPath } from "./ansible.ts";
import { Build, type Job, type Profile, type Result, type RunnerOptions } from "./gitlab-runner.ts";
import { type Process, processes } from "./process.ts";

export interface JobHost {
  /** Directory of the test, and the root directory of the images in it. */
  readonly directory: string;
  readonly root: string;
  readonly tree: (image: string) => string;
  /** Options of a runner with the calls of `nspawn-runner toml`. */
  readonly options: (profile?: Profile, changes?: Partial<RunnerOptions>) => RunnerOptions;
  /** Starts a job. */
  readonly start: (job: Job, profile?: Profile, changes?: Partial<RunnerOptions>) => Build;
  /** Runs a job to its end. */
  readonly run: (job: Job, profile?: Profile, changes?: Partial<RunnerOptions>) => Promise<Result>;
  /** Calls nspawn-runner; never throws for the exit status. */
  readonly call: (
    args: readonly string[],
    options?: Options,
  ) => Promise<{ exitCode?: number; stdout: string; stderr: string }>;
  /** Settings of the jobs of an image, as maintenance writes them. */
  readonly settings: (image: string, settings: object) => Promise<void>;
}

export const program = (): string => join(collectionPath(), "playbooks/files/nspawn-runner");

/** Makes the images in an empty directory, each by the function beside its name. */
export async function jobHost(
  directory: string,
  images: Readonly<Record<string, (tree: string) => Promise<unknown>>>,
): Promise<JobHost> {
  const root = join(directory, "root");
  mkdirSync(root, { mode: 0o700 });
  for (const [image, make] of Object.entries(images)) await make(join(root, image));
  const temporary = join(directory, "runner");
  mkdirSync(temporary);
  const environment = { PATH: process.env["PATH"] ?? "", HOME: "/root", NSPAWN_RUNNER_ROOT: root, ...measured() };
  const options = (profile: Profile = "19.4", changes: Partial<RunnerOptions> = {}): RunnerOptions => ({
    profile,
    driver: {
      config: [program(), "gitlab-config"],
      prepare: [program(), "prepare"],
      run: [program(), "run"],
      cleanup: [program(), "cleanup"],
    },
    builds_dir: "/var/lib/nspawn-runner/.build",
    cache_dir: "/var/lib/nspawn-runner/.cache",
    directory: temporary,
    ...changes,
    environment: { ...environment, ...changes.environment },
    seconds: { retry: 0, ...changes.seconds },
  });
  const start: JobHost["start"] = (job, profile, changes) => new Build(options(profile, changes), job);
  return {
    directory,
    root,
    tree: (image) => join(root, image),
    options,
    start,
    run: (job, profile, changes) => start(job, profile, changes).result,
    call: async (args, more = {}) => {
      const { exitCode, stdout, stderr } = await execa(program(), args, {
        env: environment,
        reject: false,
        stdin: "ignore",
        ...more,
      });
      return { ...(exitCode === undefined ? {} : { exitCode }), stdout: String(stdout), stderr: String(stderr) };
    },
    settings: async (image, settings) => {
      const state = join(root, ".nspawn-runner", image);
      await mkdir(state, { recursive: true, mode: 0o700 });
      await writeFile(join(state, "job.json"), JSON.stringify({ version: 1, job: settings, seccomp: true }), {
        mode: 0o600,
      });
    },
  };
}

/** For the measurement of coverage. */
const measured = (): Record<string, string> => {
  const start = process.env["COVERAGE_PROCESS_START"];
  return start ? { COVERAGE_PROCESS_START: start, PYTHONPATH: process.env["PYTHONPATH"] ?? "" } : {};
};

const JOBS = "/run/nspawn-runner/jobs";

/** All that runs or lies on this machine for jobs on images of this root directory, or for jobs that no directory names any more. */
export function left({ root }: Pick<JobHost, "root">): string[] {
  return [...jobsOf(root), ...processesOf(root), ...mountsOf(root), ...filesOf(root)].sort();
}

/** Directories of jobs, also those without a state. */
const jobsOf = (root: string): string[] =>
  listing(JOBS)
    .filter((name) => /^[0-9a-f]{16}$/.test(name) && (stateOf(name) ?? root).includes(root))
    .map((name) => `job ${name}`);

/** The text of a job's state, which names the root directory. */
function stateOf(name: string): string | undefined {
  try {
    return readFileSync(join(JOBS, name, "state.json"), "utf8");
  } catch {
    return undefined; // not written yet, or removed
  }
}

const processesOf = (root: string): string[] =>
  jobProcesses({ root }).map(({ pid, command }) => `process ${pid} ${command}`);

/** Processes of jobs on images of this root directory, and of jobs without a directory, in a container or not. */
export function jobProcesses({ root }: Pick<JobHost, "root">): Process[] {
  const own = readlinkSync("/proc/self/ns/mnt");
  return processes("").filter(({ pid, command }) => {
    if (pid === process.pid) return false;
    try {
      // A container's processes name their job in the mount table alone.
      const mounts =
        readlinkSync(`/proc/${pid}/ns/mnt`) === own ? "" : readFileSync(`/proc/${pid}/mountinfo`, "latin1");
      const job = /\/nspawn-runner\/jobs\/([0-9a-f]{16})\//.exec(mounts)?.[1];
      return (
        command.includes(root) ||
        readFileSync(`/proc/${pid}/environ`, "latin1").includes(root) ||
        mounts.includes(root) ||
        (job !== undefined && (stateOf(job) ?? root).includes(root))
      );
    } catch {
      return false; // ended meanwhile
    }
  });
}

/** First user ids of containers: of the jobs on images of this root directory, or of all that are taken on this host. */
export const ranges = (host?: Pick<JobHost, "root">): string[] =>
  host === undefined
    ? listing("/run/systemd/nspawn-uid")
    : listing(JOBS).flatMap((name) => {
        const text = stateOf(name);
        return text?.includes(host.root) ? [String(JSON.parse(text).base)] : [];
      });

const mountsOf = (root: string): string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(root) || line.includes(`${JOBS}/`))
    .map((line) => `mount ${line}`);

/** Entries of the root directory, and of its private directory, that belong to no image. */
const filesOf = (root: string): string[] => [
  ...listing(root).filter((name) => name.startsWith(".") && name !== ".nspawn-runner"),
  ...listing(join(root, ".nspawn-runner/.jobs")),
];

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // not made yet
  }
}

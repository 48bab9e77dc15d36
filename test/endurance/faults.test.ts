// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance runs that are killed at random moments, while jobs run on the image all the time.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { fingerprint } from "../support/listing.ts";
import { loopFileSystem } from "../support/loop.ts";
import { processes, until } from "../support/process.ts";
import { playbook, type RunnerHost, runnerHost, sentence, started, summary } from "../support/runner-host.ts";
import { mountsBeneath } from "../support/scratch.ts";
import { debianTree } from "../support/trees.ts";

/** On each file system. Each killed run is followed by one that publishes and prunes. */
const kills = Number(process.env["NSPAWN_RUNNER_KILLS"] ?? 6);
const seed = Number(process.env["NSPAWN_RUNNER_SEED"] ?? Date.now() % 2 ** 31);

const targets = ["outer run", "inner run", "module", "container"] as const;

describe.each(["ext4", "btrfs", "xfs"] as const)("on %s", (kind) => {
  test(`the image is whole after ${kills} kills, and no job on it fails (seed ${seed})`, async () => {
    const random = mulberry32(seed + kind.length * 7919 + kind.charCodeAt(0));
    const mount = await loopFileSystem(kind, 6000);
    const host = await runnerHost({}, [], "test", join(mount, "images"));
    const tree = await debianTree(join(host.root, "aa"));
    // No job and no run of Ansible needs these directories.
    for (const path of ["usr/share/doc", "usr/share/locale", "usr/share/man", "var/lib/apt/lists", "var/cache/apt"])
      await rm(join(tree, path), { recursive: true, force: true });

    expect(await maintain(host, "w0")).toBe("published");
    const begun = performance.now();
    expect(await maintain(host, "w1")).toBe("published");
    const duration = performance.now() - begun;

    const jobs = [inLoop(() => nspawnJob(tree)), inLoop(() => overlayJob(tree))];
    const struck: string[] = [];
    try {
      for (let round = 1; round <= kills; round++) {
        const before = fingerprint(tree, { root: false });
        const target = targets[Math.floor(random() * targets.length)] as (typeof targets)[number];
        const moment = random() * duration;
        await write(host, `killed${round}`);
        const label = `seed ${seed}, ${kind}, kill ${round}: ${target} after ${moment.toFixed(0)} ms`;
        struck.push(await strike(host, target, moment));
        await until(() => left(host).length === 0).catch(() => expect(left(host), label).toEqual([]));
        expect(mountsBeneath(mount), label).toEqual([mount]);
        // The tree is the untouched old one, or the complete new one.
        if (fingerprint(tree, { root: false }) !== before)
          expect(words(tree), label).toEqual([`killed${round}`, `killed${round}`]);

        const after = await run(host, `next${round}`);
        expect(sentence(after, "aa"), label).toBe("");
        expect(summary(after, "aa")[0], label).toBe("published");
        expect(words(tree), label).toEqual([`next${round}`, `next${round}`]);
        const rest = ["staged", "failed", "publishing.json"].filter((name) => existsSync(host.state("aa", name)));
        expect(rest, label).toEqual([]);
        // Pruning works: the remaining generations are used by a job, or were a moment ago.
        expect(generations(host).length, label).toBeLessThan(8);
      }
    } finally {
      await Promise.all(jobs.map((job) => job.stop()));
    }
    for (const { count, failures } of await Promise.all(jobs.map((job) => job.stop()))) {
      expect(failures).toEqual([]);
      expect(count).toBeGreaterThan(kills);
    }
    expect(new Set(struck).size).toBeGreaterThan(1);
    // Without jobs, no generation is in use. The newest is kept.
    expect(await maintain(host, "last")).toBe("published");
    expect(generations(host)).toHaveLength(1);
  }, 1_200_000);
});

/** Writes the word into two files, with some time between. */
async function write(host: RunnerHost, word: string): Promise<void> {
  const tasks = [
    `- command: sh -c 'echo ${word} >/etc/first'`,
    "- command: sleep 0.3",
    `- command: sh -c 'echo ${word} >/etc/last'`,
  ];
  // Each run removes the trees that runs before have replaced, as far as no job uses them.
  const vars = "nspawn_runner_keep_generations: 1, nspawn_runner_keep_days: 0";
  await writeFile(join(host.directory, "aa.yml"), playbook("aa", tasks.join("\n"), vars));
}

async function run(host: RunnerHost, word: string) {
  await write(host, word);
  return host.run(["site.yml"]);
}

const maintain = async (host: RunnerHost, word: string) => summary(await run(host, word), "aa")[0];

const words = (tree: string) => ["first", "last"].map((name) => readFileSync(join(tree, "etc", name), "utf8").trim());

const generations = (host: RunnerHost) => readdirSync(host.state("aa", "generations"));

/** Processes of the run and of the run's containers; no processes of jobs. */
const left = (host: RunnerHost) => [...processes(host.directory), ...processes(host.state("aa", "staged"))];

/** Starts a maintenance, kills one of the processes after a time, and waits for the end. Returns the name of the killed process. */
async function strike(host: RunnerHost, target: (typeof targets)[number], moment: number): Promise<string> {
  const { result } = await started(host, () => true);
  let ended = false;
  void result.then(() => {
    ended = true;
  });
  await new Promise((done) => setTimeout(done, moment));
  // The process may not have started yet. After the end of the run there is nothing to kill.
  while (!ended) {
    const pid = find(host, target);
    if (pid !== undefined) {
      try {
        process.kill(pid, "SIGKILL");
        await result;
        return target;
      } catch {} // ended meanwhile
    }
    await new Promise((done) => setTimeout(done, 2));
  }
  return "nothing";
}

function find(host: RunnerHost, target: (typeof targets)[number]): number | undefined {
  const all = left(host);
  const outer = processes(host.directory).find(({ parent }) => parent === process.pid);
  if (target === "outer run") return outer?.pid;
  if (target === "inner run")
    return all.find(
      ({ pid, command }) => pid !== outer?.pid && /^\S*python\S* \S*ansible-playbook .*aa\.yml/.test(command),
    )?.pid;
  if (target === "container") return all.find(({ command }) => command.startsWith("systemd-nspawn "))?.pid;
  return processes("python3").find(({ pid, command }) => {
    try {
      const [inside, staged] = [`/proc/${pid}/root`, host.state("aa", "staged")].map((path) => statSync(path));
      return /^\S*python3 /.test(command) && inside?.ino === staged?.ino && inside?.dev === staged?.dev;
    } catch {
      return false; // ended meanwhile
    }
  })?.pid;
}

const script =
  "set -e; a=$(cat /etc/first); sleep $0; apt-get --version >/dev/null; cat /usr/bin/git /usr/bin/dpkg /usr/sbin/ldconfig >/dev/null; echo $a $(cat /etc/last)";

/** A job as started by runners: with a shared lock on the tree. */
async function nspawnJob(tree: string): Promise<string | undefined> {
  const upper = scratchLike();
  try {
    const options = ["--quiet", "--register=no", "--keep-unit", "--settings=no", "--console=pipe", "--as-pid2"];
    const plain = [
      "--link-journal=no",
      "--resolv-conf=off",
      "--timezone=off",
      `--machine=job-${process.pid}-${counter++}`,
    ];
    const root = ["--read-only", `--overlay=${tree}:${upper}:/`, `--directory=${tree}`];
    return problem(
      await execa("systemd-nspawn", [...options, ...plain, ...root, "/bin/sh", "-c", script, "0.25"], {
        reject: false,
        stdin: "ignore",
      }),
    );
  } finally {
    await rm(upper, { recursive: true, force: true });
  }
}

/** A job without a container manager, which runs longer than a few publishes take. */
async function overlayJob(tree: string): Promise<string | undefined> {
  const directory = scratchLike();
  for (const name of ["upper", "work", "merged"]) mkdirSync(join(directory, name));
  try {
    const mount = 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/merged"';
    const inside = 'exec chroot "$2/merged" /bin/sh -c "$3" 1.5';
    return problem(
      await execa("unshare", ["--mount", "/bin/sh", "-c", `${mount} && ${inside}`, "sh", tree, directory, script], {
        reject: false,
        stdin: "ignore",
      }),
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The problem of a job, if there is one: a job must see one whole tree from start to end. */
function problem({ exitCode, stdout, stderr }: { exitCode?: number; stdout: string; stderr: string }) {
  const [first, last] = stdout.split(" ");
  return exitCode === 0 && first === last ? undefined : `exit status ${exitCode}, '${stdout}': ${stderr}`;
}

let counter = 0;

const scratchLike = () => {
  const path = `/var/tmp/nspawn-runner-test-job-${process.pid}-${counter++}`;
  mkdirSync(path);
  return path;
};

/** Runs jobs one after the other until `stop` is called. */
function inLoop(job: () => Promise<string | undefined>) {
  const failures: string[] = [];
  let count = 0;
  let going = true;
  const end = (async () => {
    while (going) {
      const problem = await job();
      count++;
      if (problem) failures.push(problem);
    }
  })();
  return {
    stop: async () => {
      going = false;
      await end;
      return { count, failures };
    },
  };
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

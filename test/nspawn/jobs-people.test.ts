// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The verbs of nspawn-runner that people type: on a terminal, and in a pipe.

import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync } from "node:fs";
import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type JobHost, jobHost, left, program } from "../support/job-host.ts";
import { until } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

const directory = scratch("file");
let host: JobHost;
beforeAll(async () => {
  host = await jobHost(directory, { debian: debianTree, busybox: busyboxTree });
});
afterAll(() => until(() => left(host).length === 0).catch(() => expect(left(host)).toEqual([])));

const exec = (args: readonly string[], options: object = {}) => host.call(["exec", ...args], options);
const sh = (script: string, options: object = {}) => exec(["debian", "--", "sh", "-c", script], options);
const env = () => ({ NSPAWN_RUNNER_ROOT: host.root });

interface Step {
  readonly wait: string;
  readonly write?: string;
  readonly size?: readonly [number, number];
}

/** Runs the program on a terminal of 33 lines and 77 columns. */
async function onTerminal(args: readonly string[], steps: readonly Step[] = []) {
  const helper = join(import.meta.dirname, "../support/on_terminal.py");
  const argv = [helper, JSON.stringify(steps), program(), ...args];
  const { exitCode, stdout } = await execa("python3", argv, {
    env: { ...env(), TERM: "xterm-256color" },
    reject: false,
  });
  return { exitCode, stdout: stdout.replaceAll("\r", "") };
}

describe.concurrent("in a pipe", () => {
  test.each([
    ["exit 42", 42],
    ["exit 255", 255],
    ["kill -9 $$", 137],
    ["kill -15 $$", 143],
    ["no-such-program", 127],
  ])("%s has exit status %d", async (script, exitCode) => {
    expect(await sh(script)).toMatchObject({ exitCode });
  });

  test("a program that cannot be found", async () => {
    expect(await exec(["debian", "no-such-program"])).toMatchObject({
      exitCode: 127,
      stderr: expect.stringContaining("no-such-program"),
    });
  });

  test("all bytes go in and come out, and the end of the input reaches the command", async () => {
    const input = randomBytes(5 << 20);
    const { stdout } = await execa(program(), ["exec", "debian", "cat"], { env: env(), input, encoding: "buffer" });
    expect(Buffer.compare(Buffer.from(stdout), input)).toBe(0);
  });

  test("both outputs stay apart, and the program adds nothing", async () => {
    const script = "for of in 0 1 2; do [ -t $of ] && echo terminal; done; echo out; echo err >&2";
    expect(await sh(script)).toMatchObject({ stdout: "out", stderr: "err" });
  });

  test("a reader that has seen enough ends the command", async () => {
    const { stdout } = await execa("sh", ["-c", '"$0" exec debian yes | head -n 1', program()], { env: env() });
    expect(stdout).toBe("y");
  });

  test("SIGTERM ends the command and removes the container", async () => {
    const child = execa(program(), ["exec", "debian", "sh", "-c", "echo up; sleep 10000"], {
      env: env(),
      reject: false,
    });
    await new Promise((done) => child.stdout.once("data", done));
    child.kill("SIGTERM");
    const { exitCode, signal } = await child;
    expect(signal ?? exitCode).not.toBe(0);
  });

  test("an image without Python", async () => {
    expect(await exec(["busybox", "sh", "-c", "echo out; exit 3"])).toMatchObject({ stdout: "out", exitCode: 3 });
  });

  test("a shell reads commands", async () => {
    expect(await host.call(["shell", "debian"], { stdin: "pipe", input: "echo from-shell\nexit 5\n" })).toMatchObject({
      exitCode: 5,
      stdout: "from-shell",
    });
  });

  test.each([
    [["exec", "debina", "true"], 125, /debina.*debian/],
    [["exec", "debian"], 125, /no command/],
    [["enter", "nothing"], 125, /nothing/],
    [["exec"], 2, /IMAGE/],
    [["no-verb"], 2, /no-verb/],
  ] as const)("%j: exit status %d and a sentence", async (args, exitCode, stderr) => {
    const result = await host.call(args);
    expect(result).toMatchObject({ exitCode, stdout: "", stderr: expect.stringMatching(stderr) });
    expect(result.stderr).not.toContain("Traceback");
  });
});

describe.concurrent("on a terminal", () => {
  test("the command has a terminal of the same size and kind", async () => {
    const script = "stty size; echo $TERM; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && tty; exit 7";
    expect(await onTerminal(["exec", "debian", "sh", "-c", script])).toEqual({
      exitCode: 7,
      stdout: expect.stringMatching(/^33 77\nxterm-256color\n\/dev\/\S+$/),
    });
  });

  test("Ctrl-C reaches the command, and not the program", async () => {
    const script = "trap 'echo in''terrupted; exit 3' INT; echo re''ady; while :; do sleep 0.1; done";
    const steps = [{ wait: "ready", write: "\x03" }];
    expect(await onTerminal(["exec", "debian", "sh", "-c", script], steps)).toMatchObject({
      exitCode: 3,
      stdout: expect.stringContaining("interrupted"),
    });
  });

  test("a new size reaches the command", async () => {
    const script = "trap 'stty size; exit 0' WINCH; echo re''ady; while :; do sleep 0.1; done";
    const steps = [{ wait: "ready", size: [40, 99] as const }];
    expect((await onTerminal(["exec", "debian", "sh", "-c", script], steps)).stdout).toMatch(/^40 99$/m);
  });

  test("a shell echoes what is typed once, and ends with Ctrl-D", async () => {
    const steps = [
      { wait: "# ", write: "printf '%s\\n' o''k\n" },
      { wait: "ok\r\n", write: "\x04" },
    ];
    const { exitCode, stdout } = await onTerminal(["shell", "debian"], steps);
    expect([exitCode, stdout.match(/o''k/g)?.length]).toEqual([0, 1]);
  });
});

test("--here runs in the current directory, and files there belong to its owner", async () => {
  const here = join(host.directory, "a directory:with, signs");
  await mkdir(here);
  await chown(here, 1234, 1234);
  const script = "pwd; echo from-inside >file; stat -c %u .";
  const { stdout, stderr, exitCode } = await exec(["--here", "debian", "sh", "-c", script], { cwd: here });
  expect({ stdout, exitCode }, stderr).toEqual({ stdout: `${here}\n0`, exitCode: 0 });
  expect(readFileSync(join(here, "file"), "utf8")).toBe("from-inside\n");
  expect(lstatSync(join(here, "file"))).toMatchObject({ uid: 1234, gid: 1234 });
});

test("a running job is listed, entered, and kept after its failure", async () => {
  await host.settings("debian", { keep_failed: 5 });
  const build = host.start({
    image: "debian",
    id: 815,
    script: ["echo of-job >/root/file; echo be''gun; until test -e /root/go; do sleep 0.05; done; exit 3"],
  });
  await until(() => build.log.includes("begun"));
  const { stdout } = await host.call(["jobs", "--json"]);
  // Jobs of other tests run on this machine too.
  const job = JSON.parse(stdout).find(({ label }: { label: string }) => label === "815");
  expect(job).toMatchObject({ image: "debian", stage: "build_script" });
  const text = await host.call(["jobs"]);
  expect(text.stdout).toMatch(/debian.*build_script/);
  const listed = JSON.parse((await host.call(["list", "--json"])).stdout);
  expect(listed.map(({ image }: { image: string }) => image).sort()).toEqual(["busybox", "debian"]);
  const entered = await host.call(["enter", job.job], {
    stdin: "pipe",
    input: "cat /root/file; touch /root/go; exit 9\n",
  });
  expect(entered).toMatchObject({ exitCode: 9, stdout: "of-job" });
  expect(await build.result).toMatchObject({ status: "failed", exitCode: 3 });
  // The runner has called cleanup.
  expect(await host.call(["enter", job.job], { stdin: "pipe", input: "cat /root/file\n" })).toMatchObject({
    stdout: "of-job",
  });
  const kept = JSON.parse((await host.call(["jobs", "--json"])).stdout).find(
    (entry: { job: string }) => entry.job === job.job,
  );
  onTestFinished(() => until(() => left(host).length === 0).then(() => {}));
  expect((await host.call(["cleanup", "--id", kept.job])).exitCode).toBe(0);
});

test("toml is a section with the four calls", async () => {
  const { stdout } = await host.call(["toml"]);
  expect(stdout).toMatch(/^\[\[runners\]\]\n/m);
  expect(stdout).toMatch(/executor = "custom"/);
  for (const call of ["config", "prepare", "run", "cleanup"])
    expect(stdout).toMatch(new RegExp(`^ *${call}_exec = "/.*nspawn-runner"$`, "m"));
});

test("without GitLab, by --id", async () => {
  const script = join(host.directory, "script.sh");
  await execa("sh", ["-c", 'echo "echo from-script; exit 4" >"$0"', script]);
  expect((await host.call(["prepare", "--id", "nightly", "debian"])).exitCode).toBe(0);
  const run = await host.call(["run", "--id", "nightly", script, "a-stage"]);
  expect(run).toMatchObject({ stdout: "from-script" });
  expect(run.exitCode).not.toBe(0);
  expect((await host.call(["cleanup", "--id", "nightly"])).exitCode).toBe(0);
});

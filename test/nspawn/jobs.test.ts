// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The four calls of GitLab Runner, made by the double: results, stages, output, cancels, bad input, and calls in a wrong order.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa, execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Build, type Call, type Job, type Profile, type Result, type RunnerOptions } from "../support/gitlab-runner.ts";
import { type JobHost, jobHost, left, program } from "../support/job-host.ts";
import { until } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

const directory = scratch("file");
let host: JobHost;
beforeAll(async () => {
  host = await jobHost(directory, { debian: debianTree, busybox: busyboxTree });
});
// One look for all tests of this file.
afterAll(() => until(() => left(host).length === 0).catch(() => expect(left(host)).toEqual([])));

const deadline = 120_000;
const run = (job: Partial<Job>, profile?: Profile, changes?: Partial<RunnerOptions>) =>
  host.run({ image: "debian", script: [":"], ...job }, profile, changes);
const stages = ({ calls }: Result) => calls.filter(({ call }) => call === "run").map(({ stage }) => stage);
const names = ({ calls }: Result) => calls.map(({ call, stage }) => stage ?? call);
const find = ({ calls }: Result, name: string) => calls.find(({ call, stage }) => (stage ?? call) === name) as Call;
const failed = (exitCode: number) => ({ status: "failed", failure: "script_failure", exitCode });
const systemFailure = { status: "failed", failure: "runner_system_failure" };

describe.concurrent("results", () => {
  test.each<[string, Partial<Job>, object]>([
    // The result of after_script does not count.
    ["a success", { script: ["true", "echo one\necho two"], afterScript: ["exit 3"] }, { status: "success" }],
    ["the exit status of the script", { script: ["(exit 42)"] }, failed(42)],
    ["the status that means a failed system to the runner", { script: ["exit 2"] }, failed(2)],
    ["the highest exit status", { script: ["exit 255"] }, failed(255)],
    ["a shell that is killed", { script: ["kill -KILL $$"] }, failed(137)],
    ["a shell that gets SIGTERM has the status of its own trap", { script: ["kill -TERM $$"] }, failed(1)],
    ["a missing program", { script: ["no-such-program"] }, failed(127)],
    ["a step of another name", { script: [":"], steps: { "release me": ["exit 5"] } }, failed(5)],
    ["a get_sources that fails", { sources: ["exit 9"] }, failed(9)],
    // The status of the first attempt is in the file that the second one writes.
    [
      "a script that fails after a second attempt at get_sources",
      {
        variables: { GET_SOURCES_ATTEMPTS: "2" },
        sources: ["test -e /root/again || { touch /root/again; exit 3; }"],
        script: ["exit 6"],
      },
      failed(6),
    ],
    ["an image without Python and bash", { image: "busybox", script: ["exit 42"] }, failed(42)],
  ])(
    "%s",
    async (_, job, want) => {
      const result = await run(job);
      expect(result, result.log).toMatchObject(want);
    },
    deadline,
  );

  test("14.7 knows a failure, and no exit status", async () => {
    expect(await run({ script: ["exit 42"] }, "14.7")).toMatchObject(failed(1));
  });

  test("a failed script runs the stages after a failure", async () => {
    const result = await run({ script: ["false"], afterScript: ["true"], cache: ["x"], artifacts: ["y"] });
    expect(names(result)).toEqual(
      [
        ["config", "prepare", "prepare_script", "get_sources", "restore_cache", "build_script", "after_script"],
        ["archive_cache_on_failure", "upload_artifacts_on_failure", "cleanup_file_variables", "cleanup"],
      ].flat(),
    );
  });

  test("the stages of a job share one container", async () => {
    const result = await run({
      sources: ["echo kept >/root/file", "cut -d ' ' -f 22 /proc/1/stat >/root/container"],
      script: ["cut -d ' ' -f 22 /proc/1/stat | diff - /root/container", "cat /root/file"],
      afterScript: ["cat /root/file"],
    });
    expect(result).toMatchObject({ status: "success", log: expect.stringMatching(/\nkept\n[\s\S]*\nkept\n/) });
  });
});

describe.concurrent("output", () => {
  test("both streams stay apart", async () => {
    const { stdout, stderr } = find(await run({ script: ["echo of-out; echo of-err >&2"] }), "build_script");
    expect([stdout, stderr]).toEqual([expect.stringMatching(/^of-out$/m), "of-err\n"]);
  });

  test("any bytes, and many", async () => {
    // Every byte follows on every byte, and no line ends for long.
    const print = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 80000)";
    const { stdout } = find(await run({ script: [`python3 -c '${print}'; exit 0`] }), "build_script");
    const want = Buffer.alloc(256 * 80_000, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
    const sum = (data: Buffer) => createHash("sha256").update(data).digest("hex");
    expect(sum(Buffer.from(stdout, "latin1").subarray(-want.length))).toBe(sum(want));
  });

  test.each(["debian", "busybox"])(
    "a process in the background does not hold a stage in the image %s",
    async (image) => {
      // The shell of a stage has ended before, and the process has the outputs of the stage open.
      const script = ["(sleep 10000; echo never) & echo shell-ended"];
      const result = await run({ image, script, afterScript: ["echo after"] });
      expect(result).toMatchObject({ status: "success", log: expect.stringMatching(/shell-ended[\s\S]*after/) });
    },
    60_000,
  );

  test("the log begins with the image and its storage, and prepare prints nothing else", async () => {
    const { log, calls } = await run({});
    const config = JSON.parse(find({ calls } as unknown as Result, "config").stdout);
    expect(config).toMatchObject({ builds_dir: "/builds", cache_dir: "/cache", driver: { name: "nspawn-runner" } });
    expect(log).toMatch(/^Using Custom executor with driver nspawn-runner .*\n[\s\S]*\bdebian\b[\s\S]*overlay/);
  });

  test("config prints only JSON, with all messages and warnings on", async () => {
    const config = [program(), "--debug", "--verbose", "gitlab-config"];
    const options = host.options("19.4", { environment: { PYTHONDEVMODE: "1", PYTHONWARNINGS: "always" } });
    const result = await new Build(
      { ...options, driver: { ...options.driver, config } },
      { image: "debian", script: [":"] },
    ).result;
    expect(result).toMatchObject({ status: "success" });
    expect(JSON.parse(find(result, "config").stdout)).toBeInstanceOf(Object);
  });
});

/** Starts a job and waits for the text in its log. */
async function running(job: Partial<Job>, text: string, profile?: Profile, changes?: Partial<RunnerOptions>) {
  const build = host.start({ image: "debian", script: [":"], ...job }, profile, changes);
  let ended = false;
  void build.result.then(() => {
    ended = true;
  });
  await until(() => ended || build.log.includes(text));
  if (ended) throw new Error((await build.result).log);
  return build;
}

describe.concurrent("a job that is ended", () => {
  const long = {
    script: ["echo kept >/root/file\necho be''gun; sleep 10000"],
    afterScript: ["cat /root/file || :; echo was $CI_JOB_STATUS"],
  };
  const after = (status: string) => expect.stringMatching(new RegExp(`\nkept\nwas ${status}\n`));

  test.each(["debian", "busybox"])(
    "a cancel ends the script, and after_script runs in the container of the image %s",
    async (image) => {
      const build = await running({ ...long, image }, "begun");
      build.cancel();
      const result = await build.result;
      expect(result).toMatchObject({ status: "canceled", log: after("canceled") });
      expect(stages(result).slice(-3)).toEqual(["build_script", "after_script", "cleanup_file_variables"]);
    },
    deadline,
  );

  test("a limit of the script's own ends the script alone", async () => {
    const result = await run({ ...long, variables: { RUNNER_SCRIPT_TIMEOUT: "1s" } });
    // On a busy machine the script may not have begun.
    expect(result).toMatchObject({
      failure: "job_execution_timeout",
      log: expect.stringContaining("\nwas timedout\n"),
    });
  });

  test.each<[string, Profile, (build: Build) => void, object]>([
    ["a forced cancel", "19.4", (build) => build.abort(), { status: "canceled" }],
    ["a cancel before 16.9", "14.7", (build) => build.cancel(), { status: "canceled" }],
    ["a runner that ends", "19.4", (build) => build.shutdown(), systemFailure],
  ])("%s leads to cleanup at once", async (_, profile, end, want) => {
    const build = await running(long, "begun", profile);
    end(build);
    const result = await build.result;
    expect(result).toMatchObject(want);
    expect(names(result).slice(-2)).toEqual(["build_script", "cleanup"]);
  });

  test(
    "a script that ignores SIGTERM is killed after ten seconds",
    async () => {
      const build = await running(
        { ...long, script: ["trap '' TERM; echo kept >/root/file; echo be''gun; while :; do sleep 1; done"] },
        "begun",
      );
      build.cancel();
      expect(await build.result).toMatchObject({ status: "canceled", log: after("canceled") });
    },
    deadline,
  );

  test(
    "all processes of the script end, also those in sessions of their own",
    async () => {
      const script = ["setsid sh -c 'trap \"\" TERM; sleep 10001' & (sleep 10001 &) ; echo be''gun; sleep 10001"];
      const build = await running(
        { script, afterScript: ["grep -lz 10001 /proc/[0-9]*/cmdline || echo none left"] },
        "begun",
      );
      build.cancel();
      expect((await build.result).log).toContain("none left\n");
    },
    deadline,
  );

  test("cleanup ends a job whose runs were killed", async () => {
    const build = await running(long, "begun", "19.4", { seconds: { graceful: 0, force: 1 } });
    build.abort();
    expect(await build.result).toMatchObject({ status: "canceled" });
  });

  test(
    "cleanup beside a run",
    async () => {
      const build = await running(long, "begun");
      const environment = Object.fromEntries(
        readFileSync(`/proc/${build.process}/environ`, "utf8")
          .split("\0")
          .filter(Boolean)
          .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
      );
      const cleanup = await execa(program(), ["cleanup"], { env: environment, extendEnv: false, reject: false });
      expect(cleanup.exitCode, cleanup.stderr).toBe(0);
      const result = await build.result;
      expect(result).toMatchObject({ ...systemFailure, log: expect.stringMatching(/container/) });
    },
    deadline,
  );
});

describe.concurrent("variables that a job sets", () => {
  const forged = [
    "CI_JOB_ID",
    "CI_JOB_IMAGE",
    "CI_JOB_TIMEOUT",
    "CI_CONCURRENT_ID",
    "CI_PROJECT_ID",
    "CI_RUNNER_SHORT_TOKEN",
  ];
  const evil = ["../../evil", "a\nb", "x".repeat(300), "..", "", "-rf", "$(touch /evil)", "/etc"];

  test.each([0, 1, 2, 6])("forged names and numbers, %d", async (turn) => {
    const before = readdirSync(host.directory).sort();
    const value = (index: number) => evil[(index + turn) % evil.length] as string;
    const variables = Object.fromEntries(forged.map((name, index) => [name, value(index)]));
    const result = await run({ variables, script: ["grep ^ID= /etc/os-release; printf '<%s>' \"$CI_JOB_ID\""] });
    expect(result, result.log).toMatchObject({
      status: "success",
      log: expect.stringContaining(`ID=debian\n<${value(0)}>`),
    });
    expect(readdirSync(host.directory).sort()).toEqual(before);
  });

  test("TMPDIR and programs of the host", async () => {
    const variables = {
      TMPDIR: "/nowhere",
      PATH: "/nowhere:/usr/bin:/bin",
      LD_PRELOAD: "/nowhere.so",
      PYTHONPATH: "/nowhere",
      BASH_ENV: "/nowhere",
    };
    expect(await run({ variables, script: ["echo $TMPDIR $PYTHONPATH"] })).toMatchObject({
      status: "success",
      log: expect.stringContaining("/nowhere /nowhere\n"),
    });
  });

  test("300 KiB of them", async () => {
    const variables = Object.fromEntries(["A", "B", "C"].map((name) => [name, name.repeat(100 << 10)]));
    expect(await run({ variables, script: ['printf %s "$A$B$C" | wc -c'] })).toMatchObject({
      log: expect.stringContaining("307200\n"),
    });
  });

  test("files, line breaks and quotes reach the script as they are", async () => {
    const value = "a 'b' \"c\" \\ $d `e`\n\tlast\n";
    const job = {
      variables: { PLAIN: value },
      fileVariables: { SECRET: value },
      script: ['printf "[%s]" "$PLAIN"; printf "["; cat "$SECRET"; printf "]"'],
    };
    expect((await run(job)).log).toContain(`[${value}][${value}]`);
  });
});

describe.concurrent("images", () => {
  test.each([
    ["registry.example.org/group/base:debian", {}],
    ["$DISTRO", { DISTRO: "debian" }],
  ])("%s is a name of debian", async (image, variables) => {
    expect(await run({ image, variables: variables as Record<string, string> })).toMatchObject({ status: "success" });
  });

  test("an unchanged section of upstream", async () => {
    const own = program();
    const driver = {
      config: [own, "gitlab-config"],
      prepare: [own, "--verbose", "prepare", "--default-image=debian"],
      run: [own, "run"],
      cleanup: [own, "cleanup"],
    };
    const result = await host.run({ script: ["grep ^ID= /etc/os-release"] }, "14.7", { driver });
    expect(result).toMatchObject({ status: "success", log: expect.stringContaining("ID=debian\n") });
  });

  test.each([
    ["a misspelt one", "debina", /debina.*debian/],
    ["a directory above", "..", /\.\./],
    ["private files", ".nspawn-runner", /nspawn-runner/],
    ["a line break", "de\nbian", /de.+bian/],
    ["a long one", "x".repeat(300), /x{10}/],
    ["an empty last part", "debian/", /image/],
    ["a colour", "\x1b[31mred", /red/],
    ["none", "", /image/],
  ])("%s is no image: the job fails once", async (_, image, text) => {
    const result = await run({ image });
    expect(result, result.log).toMatchObject({ ...failed(1), log: expect.stringMatching(text) });
    expect(names(result).filter((name) => name !== "prepare")).toEqual(["config", "cleanup"]);
    expect(result.log).not.toMatch(/[^\n -~]/);
  });
});

describe.concurrent("the file with the job", () => {
  const sentence = {
    exitCode: 2,
    stdout: "",
    stderr: expect.stringMatching(/^nspawn-runner: [^\n]*response\.json[^\n]*$/),
  };

  test.each<[string, (path: string) => void]>([
    ["an empty one", (path) => writeFileSync(path, "")],
    ["a damaged one", (path) => writeFileSync(path, '{"id": 4711, "token": "t0k')],
    ["a list", (path) => writeFileSync(path, "[]")],
    ["other types", (path) => writeFileSync(path, '{"id": [], "image": 3, "runner_info": "x", "variables": {}}')],
    ["no UTF-8", (path) => writeFileSync(path, Buffer.from([0x22, 0xff, 0x22]))],
    ["a deep one", (path) => writeFileSync(path, "[".repeat(1 << 20))],
    ["a huge one", (path) => execaSync("truncate", ["--size=1G", path])],
    ["a file that others can write", (path) => execaSync("install", ["--mode=666", "/dev/null", path])],
    ["a link", (path) => symlinkSync("/etc/passwd", path)],
    ["a pipe", (path) => execaSync("mkfifo", [path])],
  ])("%s is a failure of the system, with a sentence", async (name, make) => {
    const directory = join(host.directory, name);
    mkdirSync(directory);
    const path = join(directory, "response.json");
    make(path);
    const env = {
      ...host.options().environment,
      JOB_RESPONSE_FILE: path,
      BUILD_FAILURE_EXIT_CODE: "1",
      SYSTEM_FAILURE_EXIT_CODE: "2",
    };
    expect(await host.call(["gitlab-config"], { env })).toEqual(sentence);
  });

  test("without one, the runner tries three times", async () => {
    const result = await new Build(host.options(), { image: "debian", script: [":"] }, rmSync).result;
    expect(result, result.log).toMatchObject(systemFailure);
    expect(names(result)).toEqual(["config", "cleanup", "config", "cleanup", "config", "cleanup"]);
    expect(find(result, "config")).toMatchObject({ ...sentence, stderr: expect.stringContaining("response.json") });
  });
});

/** A call of more than one call of the program: `$0` is the program. */
const shell = (script: string) => ["sh", "-c", script, program()];

describe.concurrent("calls in another order", () => {
  test.each<[string, Partial<RunnerOptions["driver"]>, object, string]>([
    ["two prepares", { prepare: shell('"$0" prepare && exec "$0" prepare') }, { status: "success" }, ""],
    ["cleanup twice", { cleanup: shell('"$0" cleanup && exec "$0" cleanup') }, { status: "success" }, ""],
    ["run before prepare", { prepare: ["true"] }, systemFailure, "prepare"],
    ["run after cleanup", { prepare: shell('"$0" prepare && exec "$0" cleanup') }, systemFailure, "prepare"],
    ["cleanup without prepare", { prepare: ["false"] }, failed(1), ""],
    ["prepare without config", { config: ["true"] }, { status: "success" }, ""],
  ])("%s", async (_, driver, want, text) => {
    const options = host.options();
    const result = await run({}, "19.4", { driver: { ...options.driver, ...driver } });
    expect(result, result.log).toMatchObject({ ...want, log: expect.stringContaining(text) });
    expect(result.log).not.toContain("Traceback");
    expect(find(result, "cleanup")).toMatchObject({ exitCode: 0 });
  });

  test("a user who is not root gets one sentence", async () => {
    for (const args of [
      ["gitlab-config"],
      ["prepare"],
      ["run", "/dev/null", "x"],
      ["cleanup"],
      ["exec", "debian", "true"],
    ]) {
      const { exitCode, stderr } = await execa("setpriv", ["--reuid=65534", "--clear-groups", program(), ...args], {
        reject: false,
        env: { NSPAWN_RUNNER_ROOT: host.root },
      });
      expect(exitCode).not.toBe(0);
      expect(stderr).toMatch(/^[^\n]*\broot\b[^\n]*$/);
    }
  });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A double of GitLab Runner with its custom executor, for want of a package with the real one. It calls an executor's program in the order, with
// the files, the environment, the retries and the ends of the two versions 14.7 and 19.4. The server's part (a cancel, a deadline) is done by
// methods. Run as a program, with a file of options and a job, it is a runner that a test can kill.

import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { call, type Ended } from "./gitlab-call.ts";
import {
  cleanupFileVariables,
  clearWorktree,
  getSources,
  helper,
  type Place,
  type Profile,
  prepareScript,
  userScript,
  type Variable,
} from "./gitlab-scripts.ts";

export type { Profile };

/** Seconds; the defaults are those of GitLab Runner's code. */
const defaults = {
  config: 3600,
  prepare: 3600,
  cleanup: 3600,
  graceful: 600,
  force: 10,
  /** Between two attempts of a prepare. */
  retry: 3,
  /** From the end of a job's context until cleanup is called, also while a call still runs. */
  waitForBuild: 300,
  afterScript: 300,
  shutdown: 30,
};

/** Bytes: the runner cuts a longer log. Of a call's own output, tests can see more. */
const LOG = 4 << 20;
const KEPT = 64 << 20;

export interface RunnerOptions {
  readonly profile: Profile;
  /** Program and arguments of each call. */
  readonly driver: {
    readonly config?: readonly string[];
    readonly prepare?: readonly string[];
    readonly run: readonly string[];
    readonly cleanup?: readonly string[];
  };
  /** As in config.toml. */
  readonly builds_dir: string;
  readonly cache_dir: string;
  /** Environment of the runner itself. */
  readonly environment: Readonly<Record<string, string>>;
  /** The runner's directory for temporary files. */
  readonly directory: string;
  readonly seconds?: Partial<typeof defaults>;
}

export interface Job {
  readonly id?: number;
  readonly project?: string;
  readonly projectId?: number;
  readonly image?: string;
  /** Seconds. */
  readonly timeout?: number;
  readonly variables?: Readonly<Record<string, string>>;
  /** Variables with a file as their value. */
  readonly fileVariables?: Readonly<Record<string, string>>;
  readonly script: readonly string[];
  readonly afterScript?: readonly string[];
  /** Steps beside `script`, such as `release`. */
  readonly steps?: Readonly<Record<string, readonly string[]>>;
  /** More commands of get_sources. */
  readonly sources?: readonly string[];
  readonly cache?: readonly string[];
  readonly artifacts?: readonly string[];
  readonly services?: readonly { readonly name: string; readonly alias?: string }[];
}

export type CallName = "config" | "prepare" | "run" | "cleanup";

export interface Call extends Partial<Ended> {
  readonly call: CallName;
  readonly stage?: string;
  readonly stdout: string;
  readonly stderr: string;
}

export type Failure = "script_failure" | "runner_system_failure" | "job_execution_timeout";

export interface Result {
  readonly status: "success" | "failed" | "canceled";
  readonly failure?: Failure;
  /** Of the script, as the runner reports it to the server. */
  readonly exitCode?: number;
  readonly reason?: string;
  /** The log that a user sees. */
  readonly log: string;
  readonly calls: readonly Call[];
}

/** The job failed by itself. */
class BuildError extends Error {
  constructor(readonly exitCode: number) {
    super(`exit status ${exitCode}`);
  }
}
/** The executor, or the runner, failed. */
class SystemError extends Error {}
class TimeoutError extends Error {}

type Interruption = "canceled" | "timedout" | "interrupted";

/** A job as the server gives it to the runner. Each job has a token of its own. */
type Assigned = Job & {
  readonly id: number;
  readonly project: string;
  readonly timeout: number;
  readonly token: string;
};

/** Variables that the server and the runner make. */
function ownVariables(options: RunnerOptions, job: Assigned): Record<string, string> {
  return {
    CI_RUNNER_SHORT_TOKEN: "dOuBLe12",
    CI_SERVER: "yes",
    CI_SHARED_ENVIRONMENT: "true",
    CI_CONCURRENT_ID: "0",
    CI_CONCURRENT_PROJECT_ID: "0",
    CI_JOB_STATUS: "running",
    CI_JOB_TIMEOUT: String(job.timeout),
    CI_RUNNER_VERSION: options.profile === "14.7" ? "14.7.1" : "19.4.0",
    CI_RUNNER_REVISION: "00000000",
    CI_RUNNER_EXECUTABLE_ARCH: "linux/amd64",
    ...(job.image === undefined ? {} : { CI_JOB_IMAGE: expand(job.image, job.variables ?? {}) }),
    ...Object.fromEntries(features.map((name) => [name, "false"])),
    CI: "true",
    GITLAB_CI: "true",
    CI_JOB_ID: String(job.id),
    CI_JOB_NAME: "test",
    CI_JOB_STAGE: "test",
    CI_PROJECT_ID: String(job.projectId ?? 7),
    CI_PROJECT_PATH: job.project,
    CI_COMMIT_SHA: "0".repeat(40),
    CI_COMMIT_MESSAGE: "First line\n\nA line with 'quotes', \"more\", $HOME and \\ backslash\n",
    CI_REPOSITORY_URL: `https://gitlab-ci-token:${job.token}@gitlab.example.org/${job.project}.git`,
    CI_JOB_TOKEN: job.token,
  };
}

/** A few of some fifty. */
const features = ["FF_CMD_DISABLE_DELAYED_ERROR_LEVEL_EXPANSION", "FF_USE_LEGACY_BASH_EVAL", "FF_SCRIPT_SECTIONS"];

const expand = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replace(/\$\{(\w+)\}|\$(\w+)/g, (_, braced, plain) => variables[braced ?? plain] ?? "");

/** One job, from its assignment to its end. */
export class Build {
  readonly result: Promise<Result>;
  readonly calls: Call[] = [];
  /** `call` with each call that starts: name, process and stage. */
  readonly events = new EventEmitter<{ call: [CallName, number, string | undefined] }>();
  log = "";
  /** Process of the call that began last. */
  process = 0;

  private readonly job: Assigned;
  private readonly seconds: typeof defaults;
  /** Ends with the job. */
  private readonly whole = new AbortController();
  /** Ends with the user's script. */
  private readonly script = new AbortController();
  private interruption: Interruption | undefined;
  private canceling = false;
  private temporary = "";
  private jobEnvironment: Record<string, string> = {};
  private place: Place | undefined;
  private cacheDirectory: string;
  private buildsDirectory: string;
  private status = "running";

  constructor(
    private readonly options: RunnerOptions,
    job: Job,
    /** Called with the path of the file with the job, before each attempt. */
    private readonly responseWritten: (path: string) => void = () => {},
  ) {
    this.job = { id: 4711, project: "group/project", timeout: 3600, token: `glcbt-${randomUUID()}`, ...job };
    this.seconds = { ...defaults, ...options.seconds };
    this.buildsDirectory = options.builds_dir;
    this.cacheDirectory = options.cache_dir;
    const deadline = setTimeout(() => this.interrupt("timedout"), this.job.timeout * 1000);
    this.result = this.run().finally(() => clearTimeout(deadline));
  }

  /** The user's cancel. Since 16.9 it ends the script alone; before, the whole job. */
  cancel(): void {
    if (this.options.profile === "14.7") this.abort();
    else {
      this.canceling = true;
      this.script.abort();
    }
  }

  /** A forced cancel: no further stage. */
  abort(): void {
    this.interrupt("canceled");
  }

  /** The runner got SIGTERM. */
  shutdown(): void {
    this.interrupt("interrupted");
  }

  private interrupt(how: Interruption): void {
    this.interruption ??= how;
    this.whole.abort();
  }

  private async run(): Promise<Result> {
    let error: unknown;
    try {
      await this.prepare();
      const stages = this.stages();
      stages.catch(() => {});
      const ended = new Promise<void>((done) => this.whole.signal.addEventListener("abort", () => done()));
      const late = ended.then(() => wait(this.seconds.waitForBuild)).then(() => Promise.reject(new Error("abandoned")));
      await Promise.race([stages, late]);
    } catch (problem) {
      error = problem;
    }
    // After a failed prepare, its cleanup was called already.
    if (this.temporary) await this.cleanup();
    return this.judged(error);
  }

  private judged(error: unknown): Result {
    const { log, calls } = this;
    const failed = (failure: Failure, more: Partial<Result> = {}): Result => ({
      status: "failed",
      failure,
      ...(error instanceof Error ? { reason: error.message } : {}),
      log,
      calls,
      ...more,
    });
    if (this.interruption === "timedout") return failed("job_execution_timeout");
    if (this.interruption === "canceled" || (this.canceling && !(error instanceof SystemError)))
      return { status: "canceled", log, calls };
    if (this.interruption === "interrupted") return failed("runner_system_failure", { reason: "aborted: terminated" });
    if (error === undefined) return { status: "success", log, calls };
    if (error instanceof BuildError) return failed("script_failure", { exitCode: error.exitCode });
    if (error instanceof TimeoutError) return failed("job_execution_timeout");
    if (error instanceof SystemError) return failed("runner_system_failure");
    throw error;
  }

  private async prepare(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.attempt();
        return;
      } catch (error) {
        await this.cleanup();
        if (error instanceof BuildError || this.interruption || attempt === 3) throw error;
        this.log += `WARNING: Preparation failed: ${(error as Error).message}\nWill be retried in ${this.seconds.retry}s ...\n`;
        await Promise.race([
          wait(this.seconds.retry),
          new Promise<void>((done) => this.whole.signal.addEventListener("abort", () => done())),
        ]);
      }
    }
  }

  /** One attempt of a prepare: a new directory, the job's file, config, prepare. */
  private async attempt(): Promise<void> {
    this.temporary = mkdtempSync(join(this.options.directory, "custom-executor"));
    this.jobEnvironment = {};
    this.place = undefined;
    const response = join(this.temporary, "response.json");
    writeFileSync(response, JSON.stringify(this.response()), { mode: 0o600 });
    this.responseWritten(response);
    const { config, prepare } = this.options.driver;
    let answer: Record<string, unknown> = {};
    if (config) {
      const { stdout } = await this.call("config", config, this.seconds.config);
      answer = this.configured(stdout);
    }
    const shared = answer["builds_dir_is_shared"] ? "dOuBLe12/0" : "";
    const projectDirectory = join(this.buildsDirectory, shared, this.job.project);
    this.place = { profile: this.options.profile, variables: [], projectDirectory };
    this.place = { ...this.place, variables: this.variables() };
    this.log += `Using Custom executor${this.driverName(answer["driver"])}...\n`;
    if (prepare) await this.call("prepare", prepare, this.seconds.prepare);
  }

  private configured(stdout: string): Record<string, unknown> {
    if (stdout === "") return {};
    let answer: Record<string, unknown>;
    try {
      answer = JSON.parse(stdout);
    } catch (error) {
      throw new SystemError(`parsing JSON output of config_exec: ${(error as Error).message}`);
    }
    for (const name of ["builds_dir", "cache_dir"] as const) {
      if (answer[name] === "") throw new SystemError(`the ${name} is not configured`);
    }
    if (typeof answer["builds_dir"] === "string") this.buildsDirectory = answer["builds_dir"];
    if (typeof answer["cache_dir"] === "string") this.cacheDirectory = answer["cache_dir"];
    this.jobEnvironment = (answer["job_env"] ?? {}) as Record<string, string>;
    return answer;
  }

  private driverName(driver: unknown): string {
    const { name, version } = (driver ?? {}) as { name?: string; version?: string };
    return name ? ` with driver ${name} ${version ?? ""}` : "";
  }

  /** The stages of a job; the first error is the job's. */
  private async stages(): Promise<void> {
    const place = this.place as Place;
    const { job } = this;
    await this.stage("prepare_script", prepareScript(place));
    let error: unknown;
    const first = async (work: () => Promise<void>) => {
      if (error !== undefined) return;
      await work().catch((problem) => {
        error = problem ?? new Error("unknown");
      });
    };
    await first(() => this.attempts("GET_SOURCES_ATTEMPTS", "get_sources", getSources(place, job.sources)));
    const archive = `${this.cacheDirectory}/${job.project}/default/cache.zip`;
    const paths = (names: readonly string[]) => names.flatMap((name) => ["--path", name]);
    if (job.cache) {
      const restored = helper(place, "Extracting cache", ["cache-extractor", "--file", archive]);
      await first(() => this.attempts("RESTORE_CACHE_ATTEMPTS", "restore_cache", restored));
    }
    if (error === undefined) {
      const { limit } = this.limit("RUNNER_SCRIPT_TIMEOUT", 0);
      await first(() => this.stage("build_script", userScript(place, job.script), this.script.signal, limit));
      for (const [name, commands] of Object.entries(job.steps ?? {}))
        await first(() => this.stage(`step_${name}`, userScript(place, commands), this.script.signal));
      await this.afterScript(error);
    }
    if (this.interruption) throw error;
    const on = error === undefined && !this.canceling ? "success" : "failure";
    const last = async (name: string, text: string) => {
      if (this.interruption) return;
      await this.stage(name, text).catch((problem) => {
        error ??= problem;
      });
    };
    if (job.cache) {
      const stored = helper(place, "Creating cache", ["cache-archiver", "--file", archive, ...paths(job.cache)]);
      await last(on === "success" ? "archive_cache" : "archive_cache_on_failure", stored);
    }
    if (job.artifacts) {
      const upload = ["artifacts-uploader", "--url", "https://gitlab.example.org/", "--id", String(job.id)];
      const uploaded = helper(place, "Uploading artifacts", [...upload, ...paths(job.artifacts)]);
      await last(`upload_artifacts_on_${on}`, uploaded);
    }
    await last("cleanup_file_variables", cleanupFileVariables(place));
    if (error !== undefined) throw error;
  }

  private async attempts(variable: string, stage: string, text: string): Promise<void> {
    const times = Number(this.job.variables?.[variable] ?? 1);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.stage(stage, text);
      } catch (error) {
        if (attempt >= times || this.interruption) throw error;
        if (attempt === 1 && stage === "get_sources" && this.options.profile !== "14.7")
          await this.stage("clear_worktree", clearWorktree(this.place as Place)).catch(() => {});
      }
    }
  }

  /** Runs after each result of the script; its own result does not count. */
  private async afterScript(error: unknown): Promise<void> {
    if (!this.job.afterScript || this.interruption) return;
    this.status = this.canceling ? "canceled" : this.statusOf(error);
    const place = { ...(this.place as Place), variables: this.variables() };
    const { limit } = this.limit("RUNNER_AFTER_SCRIPT_TIMEOUT", this.seconds.afterScript);
    try {
      await this.stage("after_script", userScript(place, this.job.afterScript), undefined, limit);
    } catch {
      this.log += "WARNING: after_script failed, but job will continue unaffected\n";
    }
  }

  private statusOf(error: unknown): string {
    if (error === undefined) return "success";
    return error instanceof TimeoutError ? "timedout" : "failed";
  }

  /** A limit in seconds by a variable such as `2s`; 0 is none. */
  private limit(variable: string, otherwise: number): { limit: number } {
    return { limit: Number(/^(\d+)s$/.exec(this.job.variables?.[variable] ?? "")?.[1] ?? otherwise) };
  }

  private async stage(name: string, text: string, context?: AbortSignal, limit = 0): Promise<void> {
    const directory = mkdtempSync(join(this.temporary, "script"));
    // The trailing dot was there until 17.3.
    const path = join(directory, this.options.profile === "14.7" ? "script." : "script");
    writeFileSync(path, text, { mode: 0o700 });
    await this.call("run", [...this.options.driver.run, path, name], limit, name, context);
  }

  /** Calls the program, and turns its exit status into an error. A limit of 0 seconds is none. */
  private async call(
    name: CallName,
    argv: readonly string[],
    limit: number,
    stage?: string,
    context?: AbortSignal,
  ): Promise<Call> {
    const own = new AbortController();
    const timer = limit > 0 ? setTimeout(() => own.abort(), limit * 1000) : undefined;
    const cleanup = name === "cleanup";
    const signal = AbortSignal.any([
      own.signal,
      ...(cleanup ? [] : [this.whole.signal]),
      ...(context ? [context] : []),
    ]);
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    let kept = 0;
    const inLog = (data: Buffer) => {
      if (!cleanup && this.log.length < LOG) this.log += data.toString("latin1");
    };
    const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("latin1");
    let ended: Ended;
    try {
      if (signal.aborted) throw new TimeoutError("the context has ended");
      ended = await call(argv, {
        directory: this.temporary,
        environment: this.environment(),
        onePipe: this.options.profile === "14.7" && (name === "prepare" || name === "run"),
        signal,
        graceful: this.seconds.graceful,
        force: this.seconds.force,
        out: (data) => {
          kept += data.length;
          if (kept < KEPT) stdout.push(data);
          if (name !== "config") inLog(data);
        },
        err: (data) => {
          kept += data.length;
          if (kept < KEPT) stderr.push(data);
          inLog(data);
        },
        started: (pid) => {
          this.process = pid;
          this.events.emit("call", name, pid, stage);
        },
      });
    } catch (error) {
      // Such as E2BIG, for an environment that is too large.
      throw error instanceof TimeoutError ? error : new SystemError(`${argv[0]}: ${(error as Error).message}`);
    } finally {
      clearTimeout(timer);
    }
    const result: Call = {
      call: name,
      ...(stage ? { stage } : {}),
      stdout: text(stdout),
      stderr: text(stderr),
      ...ended,
    };
    this.calls.push(result);
    if (cleanup) return result;
    if (ended.aborted) throw new TimeoutError("the context has ended");
    if (ended.exitCode === 0) return result;
    if (ended.exitCode === 1) throw this.buildError(name);
    if (ended.exitCode === 2) throw new SystemError(`${name}: exit status 2`);
    throw new SystemError(`unknown Custom executor executable exit code ${ended.exitCode ?? ended.signal}`);
  }

  /** The status that the program has left in BUILD_EXIT_CODE_FILE, which stays there from one stage to the next. */
  private buildError(name: CallName): Error {
    if (this.options.profile === "14.7" || name !== "run") return new BuildError(1);
    let text: string;
    try {
      text = readFileSync(join(this.temporary, "build_exit_code"), "utf8");
    } catch {
      return new BuildError(1);
    }
    const [line = ""] = text.split("\n");
    return /^[+-]?\d+$/.test(line) ? new BuildError(Number(line)) : new SystemError(`no exit code: '${line}'`);
  }

  private async cleanup(): Promise<void> {
    const { cleanup } = this.options.driver;
    if (cleanup) await this.call("cleanup", cleanup, this.seconds.cleanup).catch(() => {});
    rmSync(this.temporary, { recursive: true, force: true });
    this.temporary = "";
  }

  /** All variables, as the scripts and the program see them: those of the job override all others. */
  private variables(): Variable[] {
    const place = this.place;
    const plain = {
      ...ownVariables(this.options, this.job),
      CI_JOB_STATUS: this.status,
      // Not known to config_exec.
      CI_PROJECT_DIR: place?.projectDirectory ?? "",
      ...(place
        ? { CI_BUILDS_DIR: this.buildsDirectory, RUNNER_TEMP_PROJECT_DIR: `${place.projectDirectory}.tmp` }
        : {}),
      ...this.job.variables,
    };
    const files = Object.entries(this.job.fileVariables ?? {});
    return [
      ...Object.entries(plain).map(([key, value]) => ({ key, value, masked: key === "CI_JOB_TOKEN" })),
      ...files.map(([key, value]) => ({ key, value, file: true })),
    ];
  }

  private environment(): Record<string, string> {
    const variables = this.variables().map(({ key, value }) => [`CUSTOM_ENV_${key}`, value]);
    const services = this.job.services?.map((service) => ({ entrypoint: null, command: null, alias: "", ...service }));
    return {
      ...this.options.environment,
      TMPDIR: this.temporary,
      BUILD_FAILURE_EXIT_CODE: "1",
      SYSTEM_FAILURE_EXIT_CODE: "2",
      ...(this.options.profile === "14.7" ? {} : { BUILD_EXIT_CODE_FILE: join(this.temporary, "build_exit_code") }),
      JOB_RESPONSE_FILE: join(this.temporary, "response.json"),
      ...this.jobEnvironment,
      CUSTOM_ENV_CI_JOB_SERVICES: services ? JSON.stringify(services) : "",
      ...Object.fromEntries(variables),
    };
  }

  /** The job as the server sent it: the name of the image without expansion. */
  private response(): object {
    const { id, project, timeout, image = "", services = [], script, afterScript, cache, artifacts } = this.job;
    const own = ownVariables(this.options, this.job);
    const ofServer = Object.entries(own).filter(([key]) =>
      /^(CI|GITLAB_CI|CI_(JOB|PROJECT|COMMIT|REPOSITORY)_.*)$/.test(key),
    );
    const notSent = ["CI_JOB_IMAGE", "CI_JOB_STATUS", "CI_JOB_TIMEOUT"];
    const variable = (key: string, value: string, file = false) => ({
      key,
      value,
      public: false,
      file,
      masked: key === "CI_JOB_TOKEN",
      raw: false,
    });
    const step = (name: string, commands: readonly string[], when: string) => ({
      name,
      script: commands,
      timeout,
      when,
      allow_failure: name === "after_script",
    });
    return {
      id,
      token: this.job.token,
      allow_git_fetch: true,
      job_info: {
        name: "test",
        stage: "test",
        project_id: this.job.projectId ?? 7,
        project_name: project.split("/").at(-1),
      },
      git_info: {
        repo_url: own["CI_REPOSITORY_URL"],
        ref: "main",
        sha: own["CI_COMMIT_SHA"],
        before_sha: "0".repeat(40),
        ref_type: "branch",
        refspecs: ["+refs/heads/main:refs/remotes/origin/main"],
        depth: 20,
      },
      runner_info: { timeout, runner_session_url: "" },
      variables: [
        ...ofServer.filter(([key]) => !notSent.includes(key)).map(([key, value]) => variable(key, value)),
        ...Object.entries(this.job.variables ?? {}).map(([key, value]) => variable(key, value)),
        ...Object.entries(this.job.fileVariables ?? {}).map(([key, value]) => variable(key, value, true)),
      ],
      steps: [
        step("script", script, "on_success"),
        ...Object.entries(this.job.steps ?? {}).map(([name, commands]) => step(name, commands, "on_success")),
        ...(afterScript ? [step("after_script", afterScript, "always")] : []),
      ],
      image: { name: image, alias: "", command: null, entrypoint: null, ports: null },
      services,
      artifacts: artifacts ? [{ paths: artifacts, when: "on_success" }] : null,
      cache: cache ? [{ key: "default", paths: cache, policy: "pull-push", when: "on_success" }] : null,
      credentials: null,
      dependencies: null,
      features: { trace_sections: true, token_mask_prefixes: null, failure_reasons: ["script_failure"] },
    };
  }
}

const wait = (seconds: number) => new Promise<void>((done) => setTimeout(done, seconds * 1000).unref());

/** A runner of its own process: prints the result of one job. SIGTERM and SIGQUIT end it as they end GitLab Runner. */
async function main(file: string): Promise<void> {
  const { options, job }: { options: RunnerOptions; job: Job } = JSON.parse(readFileSync(file, "utf8"));
  mkdirSync(options.directory, { recursive: true });
  const build = new Build(options, job);
  build.events.on("call", (name, pid, stage) => console.log(JSON.stringify({ call: name, pid, stage })));
  process.once("SIGTERM", () => {
    build.shutdown();
    setTimeout(() => process.exit(1), (options.seconds?.shutdown ?? defaults.shutdown) * 1000);
  });
  process.once("SIGQUIT", () => {}); // a graceful stop: the job goes on to its end
  const { status, failure, exitCode, reason, log } = await build.result;
  console.log(JSON.stringify({ status, failure, exitCode, reason, log }));
  process.exit(0);
}

if (process.argv[1] === import.meta.filename && process.argv[2]) await main(process.argv[2]);

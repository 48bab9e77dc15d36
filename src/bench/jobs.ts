// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bench table "jobs": start, stages and end of jobs, against the way of nspawn-runner's last release: boot a container, then systemd-run.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layout } from "../model/collection.ts";
import { debianSource } from "../tool/debian-tree.ts";
import type { Print } from "../tool/print.ts";
import { run } from "../tool/run.ts";
import { median, type Table } from "./table.ts";

const ROUNDS = 5;

/** Seconds of one round. */
interface Round {
  /** From the start of the first call to the first line of a script. */
  readonly ours: number;
  readonly booted: number;
  readonly upstream: number;
  /** A stage with a script that does nothing, and the same script without a container. */
  readonly stage: number;
  readonly script: number;
  /** The same start for eight jobs at once, until the last one has its line. */
  readonly eight: number;
  /** Cleanup of a job with 20,000 files. */
  readonly cleanup: number;
}

interface Install {
  readonly ours: number;
  readonly chroot: number;
}

/** Measures each row. `collections` is a directory with the installed artifact. */
export async function benchJobs(collections: string, print: Print): Promise<Table> {
  const directory = mkdtempSync("/var/tmp/nspawn-runner-bench-");
  try {
    const root = join(directory, "images");
    mkdirSync(root, { mode: 0o700 });
    const source = await debianSource("trixie");
    for (const image of ["plain", "booted"])
      await run("cp", ["--archive", "--reflink=auto", source, join(root, image)], { from: "every system" });
    const state = join(root, layout.state_directory, "booted");
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const settings = { version: 1, job: { boot: true }, seccomp: true };
    writeFileSync(join(state, layout.job_file), JSON.stringify(settings), { mode: 0o600 });
    const program = join(collections, "ansible_collections/nspawn/runner/playbooks/files/nspawn-runner");
    const measure = async (what: string) => {
      const { output } = await run("/usr/bin/python3", ["-c", MEASURE, program, root, what], {
        from: "every Debian system",
      });
      return JSON.parse(output);
    };
    const rounds: Round[] = [];
    // The first round fills the caches and does not count.
    for (let round = 0; round <= ROUNDS; round++) {
      print(`jobs: starts, stages and ends, round ${round} of ${ROUNDS}`);
      rounds.push(await measure("round"));
    }
    print("jobs: apt-get install build-essential, in a job and in a plain chroot");
    return table(rounds.slice(1), await measure("install"));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function table(rounds: readonly Round[], install: Install): Table {
  const of = (figure: (round: Round) => number) => median(rounds.map(figure));
  const start = of(({ ours }) => ours);
  return {
    head: ["jobs on a Debian tree", "figure", "promised"],
    rows: [
      ["config, prepare, first line of a script: s", start.toFixed(2), "<= 0.6"],
      ["the same: of upstream's way", of(({ ours, upstream }) => ours / upstream).toFixed(2), "<= 0.35"],
      ["the same, booted: of upstream's way", of(({ booted, upstream }) => booted / upstream).toFixed(2), "<= 0.80"],
      ["a stage over its script: ms", of(({ stage, script }) => (stage - script) * 1000).toFixed(0), "<= 60"],
      ["eight jobs at once: times one", of(({ eight, ours }) => eight / ours).toFixed(1), "<= 3.0"],
      ["cleanup of a job with 20,000 files: s", of(({ cleanup }) => cleanup).toFixed(2), "<= 0.5"],
      ["apt-get install build-essential: of a chroot", (install.ours / install.chroot).toFixed(2), "<= 1.10"],
    ],
    note: [
      `Medians of ${ROUNDS} rounds; the installation once. Upstream's way: systemd-nspawn --boot on an overlay, the container's own word that it is`,
      "ready, and systemd-run inside, entered by nsenter, which is faster than systemd-run --machine.",
    ].join("\n"),
  };
}

const MEASURE = `
import json, os, shutil, signal, socket, subprocess, sys, tempfile, threading, time

program, root, what = sys.argv[1:]
NSPAWN = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--settings=no", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]


class Job:
    """A job by the four calls of GitLab Runner."""

    def __init__(self, image):
        self.directory = tempfile.mkdtemp(dir=os.path.dirname(root))
        response = {"id": 1, "token": "t", "job_info": {"project_id": 1}, "runner_info": {"timeout": 3600}, "variables": [], "steps": [],
                    "image": {"name": image}, "services": []}
        with open(os.path.join(self.directory, "response.json"), "w") as file:
            json.dump(response, file)
        self.environment = {**os.environ, "NSPAWN_RUNNER_ROOT": root, "TMPDIR": self.directory, "BUILD_FAILURE_EXIT_CODE": "1",
                            "SYSTEM_FAILURE_EXIT_CODE": "2", "BUILD_EXIT_CODE_FILE": os.path.join(self.directory, "code"),
                            "JOB_RESPONSE_FILE": os.path.join(self.directory, "response.json"), "CUSTOM_ENV_CI_JOB_ID": "1"}

    def call(self, *arguments):
        # Errors of the program are on standard error, which this process shares.
        return subprocess.run([program, *arguments], env=self.environment, cwd=self.directory, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, check=True).stdout

    def prepare(self):
        self.environment.update(json.loads(self.call("gitlab-config")).get("job_env", {}))
        self.call("prepare")
        return self

    def run(self, script):
        path = os.path.join(self.directory, "script")
        with open(path, "w") as file:
            file.write(script)
        return self.call("run", path, "build_script")

    def cleanup(self):
        self.call("cleanup")
        shutil.rmtree(self.directory)


def clock(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def first_line(image):
    job = Job(image)
    spent = clock(lambda: job.prepare().run("echo first"))
    job.cleanup()
    return spent


def upstream():
    """Boots a container on an overlay, waits for its word, and runs the script by systemd-run."""
    directory = tempfile.mkdtemp(dir=os.path.dirname(root))
    tree = os.path.join(root, "plain")
    upper = os.path.join(directory, "upper")
    os.mkdir(upper)
    word = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    word.bind(os.path.join(directory, "notify"))
    word.settimeout(120)
    start = time.perf_counter()
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *NSPAWN, "--boot", "--notify-ready=yes",
            "--machine=bench-%d" % os.getpid(), "--read-only", "--overlay=%s:%s:/" % (tree, upper), "--directory=" + tree]
    container = subprocess.Popen(argv, env={**os.environ, "NOTIFY_SOCKET": os.path.join(directory, "notify")}, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
    leader = None
    while True:
        lines = word.recv(65536).decode().splitlines()
        if "READY=1" in lines:
            break
    leader = init(container.pid)
    inside = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
    subprocess.run([*inside, "systemd-run", "--quiet", "--pipe", "--wait", "/bin/bash", "-c", "echo first"], check=True, stdout=subprocess.DEVNULL)
    spent = time.perf_counter() - start
    container.send_signal(signal.SIGKILL)
    container.wait()
    shutil.rmtree(directory)
    return spent


def init(pid):
    """The first process of the innermost namespace below this process."""
    while True:
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/status" % name) as file:
                    status = dict(line.split(":", 1) for line in file)
                numbers = status["NSpid"].split()
                if len(numbers) > 2 and numbers[-1] == "1" and below(int(name), pid):
                    return int(name)
            except (OSError, KeyError, ValueError):
                pass


def below(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        with open("/proc/%d/stat" % pid) as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    return False


def eight():
    threads = [threading.Thread(target=first_line, args=("plain",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def round_():
    job = Job("plain").prepare()
    job.run("true")
    stage = clock(lambda: job.run("true"))
    script = clock(lambda: subprocess.run(["/bin/bash", "-c", "true"], check=True))
    job.run("mkdir /many; cd /many; seq 20000 | xargs touch")
    cleanup = clock(job.cleanup)
    return {"ours": first_line("plain"), "booted": first_line("booted"), "upstream": upstream(), "stage": stage, "script": script,
            "eight": clock(eight), "cleanup": cleanup}


INSTALL = "export DEBIAN_FRONTEND=noninteractive; exec apt-get -qq -y install --no-install-recommends build-essential >/dev/null"


def install():
    """Lists and packages are loaded before, so the network does not count."""
    load = "apt-get -qq update; exec apt-get -qq -y -d install --no-install-recommends build-essential >/dev/null"
    job = Job("plain").prepare()
    job.run(load)
    ours = clock(lambda: job.run(INSTALL))
    job.cleanup()
    copy = os.path.join(os.path.dirname(root), "chroot")
    subprocess.run(["cp", "-a", "--reflink=auto", os.path.join(root, "plain"), copy], check=True)
    shutil.copy("/etc/resolv.conf", os.path.join(copy, "etc/resolv.conf"))
    with open(os.path.join(copy, "usr/sbin/policy-rc.d"), "w") as file:
        os.fchmod(file.fileno(), 0o755)
        file.write("#!/bin/sh\\nexit 101\\n")
    subprocess.run(["chroot", copy, "/bin/sh", "-c", load], check=True)
    chroot = clock(lambda: subprocess.run(["chroot", copy, "/bin/sh", "-c", INSTALL], check=True))
    shutil.rmtree(copy)
    return {"ours": ours, "chroot": chroot}


print(json.dumps({"round": round_, "install": install}[what]()))
`;

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A job starts while the tree is replaced: systemd-nspawn uses the tree's path several times before entering the tree.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, onTestFinished, test } from "vitest";
import { ImageHost, python, pythonEnvironment, unmeasured } from "../support/image-host.ts";
import { container, running, sleeper } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

const JOBS = 80;

// A second try: a hypervisor can pause the exchange between the check and the rename, once in thousands of starts.
test("jobs that start on a busy host while trees are exchanged all the time never fail", { retry: 1 }, async () => {
  const directory = scratch();
  const tree = await busyboxTree(join(directory, "tree"));
  const other = await busyboxTree(join(directory, "other"));
  const stop = join(directory, "stop");
  const swaps = execa("/usr/bin/python3", [join(import.meta.dirname, "swaps.py"), tree, other, stop], {
    env: pythonEnvironment(),
  });
  onTestFinished(async () => {
    swaps.kill("SIGKILL");
    await swaps.catch(() => {});
  });
  // On an idle host the exchange would never be paused between the check and the rename.
  const load = availableParallelism() * 2;
  const others = Array.from({ length: load }, () => execa("/bin/sh", ["-c", "while :; do :; done"], { reject: false }));
  onTestFinished(() => {
    for (const other of others) other.kill("SIGKILL");
  });
  const problems: string[] = [];
  const job = async (...flags: string[]) => {
    const [unshare, ...args] = container(tree, "--read-only", ...flags, "/bin/true");
    const { exitCode, all } = await execa(unshare, args, { reject: false, all: true, cwd: "/", stdin: "ignore" });
    if (exitCode !== 0) problems.push(all);
  };
  const upper = (count: number) => {
    mkdirSync(join(directory, `upper-${count}`));
    return `--overlay=${tree}:${directory}/upper-${count}:/`;
  };
  const each = async (flags: (count: number) => string[]) => {
    for (let count = 0; count < JOBS; count += 1) await job(...flags(count));
  };
  // Not in parallel: a systemd-nspawn that ends takes the exclusive lock for a moment, to remove the lock's file.
  await each(() => []);
  await each((count) => [upper(count)]);
  writeFileSync(stop, "");
  const measured = JSON.parse((await swaps).stdout);
  expect(problems.join("\n")).toBe("");
  // Many jobs met an exchange, and no exchange waited long for a gap between them.
  expect(measured.swaps).toBeGreaterThan(JOBS);
  expect(measured.wait).toBeLessThan(30_000);
  expect(measured.exchange).toBeLessThan(10);
});

test("a running container is no reason to wait, with either kind of lock", async () => {
  const tree = await busyboxTree(join(scratch(), "tree"));
  for (const flags of [[], ["--private-users=pick", "--private-users-ownership=map"]]) {
    const argv = container(tree, "--read-only", ...flags, ...sleeper);
    const started = await running(argv).catch((reason) => {
      // Not every kernel and file system can map the owners of a tree.
      if (flags.length === 0) throw reason;
      return undefined;
    });
    if (!started) continue;
    const { stdout } = await python(
      "start = time.monotonic()\nwith quiet.quiet(sys.argv[1]):\n    print(time.monotonic() - start)",
      [tree],
    );
    expect(Number(stdout)).toBeLessThan(10);
    await started.end();
  }
});

test("the quiet moment has real-time priority where allowed, and the process has the priority of before at the end", async () => {
  const tree = await busyboxTree(join(scratch(), "tree"));
  const script = `
seen = []
try:
    with quiet.quiet(sys.argv[1]):
        seen.append(os.sched_getscheduler(0))
        raise KeyError
except KeyError:
    seen.append(os.sched_getscheduler(0))
print(seen == [int(sys.argv[2]), os.SCHED_OTHER])`;
  const fifo = 1;
  const other = 0;
  expect((await python(script, [tree, `${fifo}`])).stdout).toBe("True");
  // Root of a container often has no CAP_SYS_NICE.
  const under = ["setpriv", "--inh-caps=-sys_nice", "--bounding-set=-sys_nice"];
  expect((await python(script, [tree, `${other}`], under)).stdout).toBe("True");
});

test("a container that never completes the start: the image is busy, and the tree stays", async () => {
  const host = new ImageHost(scratch());
  await busyboxTree(join(host.state, "staged"));
  expect((await host.call("publish.publish(p, {})")).error).toBeUndefined();
  const starter = Number((await python(STOPPED_STARTER, [host.tree], unmeasured)).stdout);
  onTestFinished(() => {
    if (existsSync(`/proc/${starter}`)) process.kill(starter, "SIGKILL");
  });
  host.stage("new");
  const before = "publish.quiet = lambda tree: quiet.quiet(tree, 1)";
  expect((await host.call("publish.publish(p, {})", before)).error).toBe(
    `containers kept starting on ${host.tree} for 1 s (last: process ${starter}), so it was not replaced: try again later`,
  );
  expect(host.ids()).toEqual([]);
  expect(readdirSync(host.state).sort()).toEqual(["generations", "lock", "staged", "state.json"]);
  process.kill(starter, "SIGKILL");
  expect((await host.call("publish.publish(p, {})")).error).toBeUndefined();
  expect(readFileSync(join(host.tree, "v"), "utf8")).toBe("new");
});

// Starts containers until one can be stopped between its lock on the tree and its first process.
const STOPPED_STARTER = `
import subprocess
locks = [in_use.lock_file(os.stat(sys.argv[1]))]
argv = "systemd-nspawn --register=no --keep-unit --quiet --settings=no --console=pipe --as-pid2 --read-only -D".split()
for attempt in range(50):
    process = subprocess.Popen([*argv, sys.argv[1], "/bin/true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = str(process.pid)
    while process.poll() is None and not os.path.exists(locks[0]):
        pass
    process.send_signal(19)
    time.sleep(0.01)
    if process.poll() is None and quiet._held(locks) and not any(parent == pid for _child, parent in quiet._with_parents(quiet.processes())):
        print(pid)
        sys.stdout.flush()
        os._exit(0)
    process.send_signal(18)
    process.wait()
`;

test("a copy never takes the exclusive lock of the tree, which would refuse a job that starts", async () => {
  const tree = await busyboxTree(join(scratch(), "tree"));
  const read = "import sys; from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use\n";
  const script = `${read}with in_use.only_read(sys.argv[1]):\n    pass\n`;
  const [env, ...args] = [
    ...unmeasured,
    "strace",
    "--quiet=all",
    "--trace=fcntl",
    "/usr/bin/python3",
    "-c",
    script,
    tree,
  ];
  const { stderr } = await execa(env, args, { env: pythonEnvironment(), cwd: "/" });
  expect(stderr).toContain("F_RDLCK");
  expect(stderr).not.toContain("F_WRLCK");
});

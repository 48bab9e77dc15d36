// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ansible's own programs on a published image, in place, while another run or a job holds the image.

import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ansible, withChrootConnection } from "../support/ansible.ts";
import { playbook, runnerHost } from "../support/runner-host.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

// With a transfer of a file, and with a module on standard input: Ansible shows different parts of the error.
const adHoc = [
  ["raw", "id"],
  ["command", "id"],
  ["copy", "content=x dest=/root/x"],
];

const chroot = "community.general.chroot";

test.each([
  ["nspawn.runner.nspawn, a tree with Python", "nspawn.runner.nspawn", debianTree],
  ["nspawn.runner.nspawn, a tree without", "nspawn.runner.nspawn", busyboxTree],
  [chroot, chroot, busyboxTree],
])(
  "in place, an image that a run or a job holds is refused with one sentence, and works afterwards: %s",
  async (_, connection, make) => {
    const { directory, root, run, state } = await runnerHost(
      { "img.yml": playbook("img", "- raw: touch /root/done") },
      [],
    );
    const inventory = join(directory, "nspawn_runner.yml");
    await writeFile(inventory, `${await readFile(inventory, "utf8")}connection: ${connection}\n`);
    const env = { ANSIBLE_NSPAWN_BUSY_TIMEOUT: "0", ...(connection === chroot ? withChrootConnection() : {}) };
    const tree = await make(join(root, "img"));
    await mkdir(state("img", ""), { recursive: true, mode: 0o700 });
    const lock = state("img", "lock");
    const record = { format: 1, image: "img", published: { id: "20261124T231500Z" }, generations: [] };
    await writeFile(state("img", "state.json"), JSON.stringify(record));
    const marked = async () => JSON.parse(await readFile(state("img", "state.json"), "utf8")).published.in_place;
    const expectRefused = async (sentence: RegExp) => {
      for (const [module, args] of adHoc as [string, string][]) {
        const command = ["-i", "nspawn_runner.yml", "img", "-m", module, "-a", args];
        const { exitCode, stdout } = await ansible("ansible", command, { cwd: directory, env });
        expect.soft(exitCode, module).not.toBe(0);
        expect.soft(stdout, module).toMatch(sentence);
      }
      const { exitCode, stdout } = await run(["img.yml"], { env });
      expect.soft(exitCode).not.toBe(0);
      expect.soft(stdout).toMatch(sentence);
    };

    const holds = 'echo "$$, maintenance" >"$0"; echo started; exec sleep 600';
    await whileRunning(["flock", lock, "sh", "-c", holds, lock], async () => {
      const pid = Number.parseInt(await readFile(lock, "utf8"), 10);
      await expectRefused(
        new RegExp(`image img is locked by another run \\(process ${pid}, maintenance\\): wait until it ends`),
      );
    });
    expect(await marked()).toBeUndefined();
    const nspawn = [
      "unshare",
      "--mount",
      "systemd-nspawn",
      "--register=no",
      "--keep-unit",
      "--quiet",
      "--console=pipe",
    ];
    const flags = ["--as-pid2", "--timezone=off", "--resolv-conf=off", "--read-only", `--directory=${tree}`];
    await whileRunning([...nspawn, ...flags, "sh", "-c", "echo started; exec sleep 600"], () =>
      expectRefused(/in use by a container of systemd-nspawn, such as a job: wait until it ends/),
    );
    expect((await run(["img.yml"], { env })).exitCode).toBe(0);
    await readFile(join(tree, "root/done"));
    // The wrapper writes no record.
    if (connection !== chroot) expect(await marked()).toMatch(/^\d{4}-.*Z$/);
  },
);

/** Calls `body` while the command runs, after the command printed that it has started. */
async function whileRunning(command: readonly string[], body: () => Promise<unknown>): Promise<void> {
  const holder = execa("setsid", ["--wait", ...command], { reject: false, stdin: "ignore", cleanup: true });
  const [started] = await Promise.race([once(holder.stdout, "data"), holder.then(({ stderr }) => [stderr])]);
  expect(String(started)).toBe("started\n");
  try {
    await body();
  } finally {
    // All processes of the session, forks too.
    const { stdout } = await execa("ps", ["-o", "pid=", "--ppid", String(holder.pid)], { reject: false });
    const children = stdout.split("\n").map(Number).filter(Boolean);
    await execa("pkill", ["-KILL", "--session", [holder.pid, ...children].join(",")], { reject: false });
    await holder;
  }
}

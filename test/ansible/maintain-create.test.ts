// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance of missing images. A create command makes each tree: a copy of a Busybox.

import { existsSync, readFileSync } from "node:fs";
import { appendFile, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chroot } from "../support/create-host.ts";
import { processes, until } from "../support/process.ts";
import { killed, playbook, recap, runnerHost, sentence, summary } from "../support/runner-host.ts";
import { mountsBeneath } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

const seed = "{{ playbook_dir }}/seed/.";
const copy = `nspawn_runner_create_command: [cp, --archive, '${seed}', '{{ nspawn_runner_tree }}']`;

async function hostWithSeed(contents: Record<string, string>, trees: readonly string[] = []) {
  const host = await runnerHost(contents, trees);
  await busyboxTree(join(host.directory, "seed"));
  return host;
}

describe("a missing image", () => {
  test("is created and then maintained; the next run only maintains", async () => {
    const task =
      "- raw: '[ -e /made ] || { touch /made; echo new; }'\n  register: out\n  changed_when: \"'new' in out.stdout\"";
    const host = await hostWithSeed({ "aa.yml": playbook("aa", task, copy) });
    const first = await host.run(["site.yml"]);
    expect(sentence(first, "aa")).toBe("");
    expect(first.exitCode).toBe(0);
    expect(summary(first, "aa").slice(0, 2)).toEqual(["published", "1"]);
    expect(recap(first, "aa")).toMatchObject({ changed: 1 });
    expect((await stat(join(host.root, "aa/made"))).isFile()).toBe(true);
    expect(await readFile(host.state("aa", "last.log"), "utf8")).toMatch(/aa was made by cp\n[\s\S]*PLAY RECAP/);
    const second = await host.run(["site.yml"]);
    expect(summary(second, "aa").slice(0, 2)).toEqual(["unchanged", "0"]);
    expect(recap(second, "aa")).toMatchObject({ changed: 0 });
  });

  test("whose first run fails keeps the seed, which the next run takes: not for other options, and not beyond the first publish", async () => {
    const counted = (option: string) =>
      `nspawn_runner_create_command: [sh, -c, 'echo made >>${option} && cp --archive "$0" "$1"', '${seed}', '{{ nspawn_runner_tree }}']`;
    const host = await hostWithSeed({});
    const count = join(host.directory, "count");
    const write = (image: string, task: string, more = "") =>
      writeFile(join(host.directory, "aa.yml"), playbook(image, task, counted(count) + more));
    const made = () => (existsSync(count) ? readFileSync(count, "utf8").split("\n").length - 1 : 0);

    await write("bb", "- raw: touch /made");
    const unmatched = await host.run(["site.yml"]);
    expect(sentence(unmatched, "aa")).toMatch(
      /no play of \S+aa.yml matches aa \(hosts of its plays: bb\): write hosts: aa/,
    );
    await write("aa", "- rwa: touch /made");
    const unloaded = await host.run(["site.yml"]);
    expect(sentence(unloaded, "aa")).toMatch(/aa.yml cannot run, so no tree was made for it: .*rwa/);
    expect(made()).toBe(0);

    await write("aa", "- raw: touch /first\n- raw: 'exit 1'");
    const failed = await host.run(["site.yml"]);
    expect(failed.exitCode).toBe(2);
    expect(made()).toBe(1);
    expect(existsSync(host.state("aa", "seed/bin"))).toBe(true);
    expect(existsSync(host.state("aa", "seed/first"))).toBe(false);

    // Another option of the creation: a new tree, and a new seed.
    await write("aa", "- raw: 'exit 1'", ", nspawn_runner_packages: [git]");
    const other = await host.run(["site.yml"]);
    expect(other.stdout).toMatch(/aa \| the seed of image aa is not used: nspawn_runner_packages changed since \d/);
    expect(made()).toBe(2);
    expect((await host.run(["site.yml", "-e", "nspawn_runner_maint_recreate=true"])).exitCode).toBe(2);
    expect(made()).toBe(3);

    await write("aa", "- raw: touch /made", ", nspawn_runner_packages: [git]");
    const mended = await host.run(["site.yml"]);
    expect(summary(mended, "aa").slice(0, 2)).toEqual(["published", "1"]);
    expect(mended.stdout).toMatch(/aa \| the seed of \d{4}-\S+Z is used again, made by sh \(-e nspawn_runner_maint/);
    expect(made()).toBe(3);
    expect([existsSync(join(host.root, "aa/made")), existsSync(join(host.root, "aa/first"))]).toEqual([true, false]);
    expect([existsSync(host.state("aa", "seed")), existsSync(host.state("aa", "seed.json"))]).toEqual([false, false]);
  });

  test("with a seed leaves nothing behind when it is removed", async () => {
    const host = await hostWithSeed({ "aa.yml": playbook("aa", "- raw: 'exit 1'", copy) });
    expect((await host.run(["site.yml"])).exitCode).toBe(2);
    expect(existsSync(host.state("aa", "seed.json"))).toBe(true);
    const removed = await chroot({ name: "aa", root: host.root, state: "absent" });
    expect(removed.changed).toBe(true);
    expect(existsSync(host.state("aa", ""))).toBe(false);
  });

  test("whose creation fails leaves the other images alone, and no tree behind", async () => {
    const host = await hostWithSeed({
      "aa.yml": playbook("aa", "- debug:", "nspawn_runner_create_command: [sh, -c, 'echo no space; exit 3']"),
      "bb.yml": playbook("bb", "- debug:", copy),
      "cc.yml": playbook("cc", "- debug:", "nspawn_runner_create_command: [none-such-program]"),
    });
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(sentence(result, "aa")).toMatch(/sh.*3|3.*sh/);
    expect(result.stdout).toContain("aa | no space");
    expect(sentence(result, "cc")).toContain("none-such-program");
    expect(summary(result, "bb")[0]).toBe("published");
    await expect(stat(join(host.root, "aa"))).rejects.toThrow();
    expect(result.stdout + result.stderr).not.toMatch(/Traceback|An exception occurred/);
  });

  test("is made by nspawn.runner.create, which leaves existing images alone", async () => {
    const host = await hostWithSeed(
      {
        "aa.yml": playbook("aa", "- debug: {msg: 'in the new image'}", copy),
        "bb.yml": playbook("bb", "- fail:", copy),
      },
      ["bb"],
    );
    const first = await host.run(["nspawn.runner.create"]);
    expect(first.exitCode).toBe(0);
    expect(summary(first, "aa")[0]).toBe("published");
    expect(first.stdout).toContain("in the new image");
    expect(first.stdout).not.toMatch(/^bb/m);
    const second = await host.run(["nspawn.runner.create"]);
    expect(second.stdout).toContain("There is nothing to do");
    expect(second.exitCode).toBe(0);
  });

  test.each(["nspawn.runner.create", "site.yml"])(
    "that another run makes before this run has the lock is not made again by %s",
    async (name) => {
      const host = await hostWithSeed({ "aa.yml": playbook("aa", "- debug:", copy) });
      await busyboxTree(join(host.directory, "other"));
      await writeFile(join(host.directory, "other/by-another-run"), "");
      const lock = host.state("aa", "lock");
      const late = ["-P", lock, "-e", "trace=flock", "-e", "inject=flock:delay_enter=15000000:when=1"];
      const under = ["strace", "--follow-forks", "--seccomp-bpf", "-o", "/dev/null", ...late];
      const run = host.run([name], { under });
      await until(() => existsSync(lock));
      await rename(join(host.directory, "other"), join(host.root, "aa"));
      expect(summary(await run, "aa")[0]).toBe("unchanged");
      expect((await stat(join(host.root, "aa/by-another-run"))).isFile()).toBe(true);
    },
  );

  test("that a killed run left incomplete is made by the next run", async () => {
    const marker = `sleep 42${process.pid}`;
    const slow = `nspawn_runner_create_command: [sh, -c, 'mkdir "$0/half" && ${marker}', '{{ nspawn_runner_tree }}']`;
    const host = await hostWithSeed({ "aa.yml": playbook("aa", "- debug:", slow) });
    await killed(host, () => processes(marker).some(({ command }) => command.startsWith("sleep ")));
    await until(() => processes(host.directory).length === 0 && processes(marker).length === 0);
    expect(mountsBeneath(host.directory)).toEqual([]);
    await expect(stat(join(host.root, "aa"))).rejects.toThrow();
    await writeFile(join(host.directory, "aa.yml"), playbook("aa", "- debug:", copy));
    const next = await host.run(["site.yml"]);
    expect(summary(next, "aa")[0]).toBe("published");
    await expect(stat(host.state("aa", "staged"))).rejects.toThrow();
  });
});

describe("nspawn_runner_maint_recreate", () => {
  test("makes the tree from scratch at each maintenance", async () => {
    const host = await hostWithSeed({
      "aa.yml": playbook("aa", "- debug:", `${copy}, nspawn_runner_maint_recreate: true`),
    });
    await host.run(["site.yml"]);
    await appendFile(join(host.root, "aa/by-hand"), "x");
    const looked = await host.run(["site.yml", "--check"]);
    expect(summary(looked, "aa")[0]).toBe("would be published");
    expect((await stat(join(host.root, "aa/by-hand"))).isFile()).toBe(true);
    const again = await host.run(["site.yml"]);
    expect(summary(again, "aa")[0]).toBe("published");
    await expect(stat(join(host.root, "aa/by-hand"))).rejects.toThrow();
  });
});

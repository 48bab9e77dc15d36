// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Maintenance works on a staged tree, and publishes the whole tree or nothing.

import { readdirSync, readFileSync } from "node:fs";
import { stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { playbook, type RunnerHost, recap, runnerHost, sentence, summary } from "../support/runner-host.ts";
import { busyboxTree } from "../support/trees.ts";
import { notMapped, unmappable } from "../support/unmappable.ts";

const write = (word: string) => `- raw: echo ${word} >/etc/word`;
const word = (host: RunnerHost, image = "aa") => readFileSync(join(host.root, image, "etc/word"), "utf8").trim();
const generations = (host: RunnerHost, image = "aa") => {
  try {
    return readdirSync(host.state(image, "generations")).sort();
  } catch {
    return [];
  }
};
const state = (host: RunnerHost, image = "aa") => JSON.parse(readFileSync(host.state(image, "state.json"), "utf8"));
const rewrite = (host: RunnerHost, tasks: string, vars?: string) =>
  writeFile(join(host.directory, "aa.yml"), playbook("aa", tasks, vars));

/** A host with an image that was published once, with a word in a file. */
async function published(tasks = write("one"), vars?: string): Promise<RunnerHost> {
  const host = await runnerHost({ "aa.yml": playbook("aa", tasks, vars) }, ["aa"]);
  const first = await host.run(["site.yml"]);
  expect(sentence(first, "aa")).toBe("");
  expect(summary(first, "aa")[0]).toBe("published");
  return host;
}

describe("a staged tree", () => {
  test("is seen by all tasks; the published tree changes only at the end, as a whole", async () => {
    const tasks = [
      write("two"),
      // As the packages of systemd and dbus do.
      "- raw: mkdir -p /var/lib/dbus; for f in /etc/machine-id /var/lib/dbus/machine-id; do tr -d - </proc/sys/kernel/random/uuid >$f; done",
      // On the host, too, the image's path leads to the staged tree, which is not yet published.
      "- command: cat {{ nspawn_runner_path }}/etc/word\n  delegate_to: localhost\n  register: staged",
      "- command: cat {{ nspawn_runner_root }}/aa/etc/word\n  delegate_to: localhost\n  register: published",
      "- debug: {msg: 'staged {{ staged.stdout }}, published {{ published.stdout }}, {{ nspawn_runner_os.id }}'}",
    ];
    const host = await published();
    await rewrite(host, tasks.join("\n"));
    const result = await host.run(["site.yml"]);
    expect(sentence(result, "aa")).toBe("");
    expect(result.stdout).toContain("staged two, published one, busybox");
    expect(summary(result, "aa").slice(0, 2)).toEqual(["published", "4"]);
    expect(word(host)).toBe("two");
    expect(readFileSync(join(host.root, "aa/etc/machine-id"), "utf8")).toBe("");
    expect(readdirSync(join(host.root, "aa/var/lib/dbus"))).toEqual([]);
    expect(generations(host)).toHaveLength(2);
    expect(readdirSync(host.state("aa", "")).sort()).toEqual(
      ["container", "generations", "job.json", "last.log", "last.log.1", "lock", "reserve", "state.json"].sort(),
    );
  });

  test("without a difference to the published tree is dropped, and makes no generation", async () => {
    const host = await published(`${write("one")}; mkdir -p /var/log`);
    const before = await stat(join(host.root, "aa"));
    const kept = generations(host);
    // The task reports a change, but writes only below ignored paths, and the same words again.
    const again = "cp /etc/word /etc/new; mv /etc/new /etc/word; touch /etc/os-release; date >/root/.ansible_async";
    await rewrite(
      host,
      `- raw: date >/var/log/x; date >/tmp/x; date >/var/app; ${again}`,
      "nspawn_runner_ignored_paths: [/var/app]",
    );
    const result = await host.run(["site.yml"]);
    expect(summary(result, "aa").slice(0, 2)).toEqual(["unchanged", "1"]);
    expect(recap(result, "aa")).toMatchObject({ changed: 0, failed: 0 });
    expect((await stat(join(host.root, "aa"))).ino).toBe(before.ino);
    expect(generations(host)).toEqual(kept);
    expect(state(host).last_run).toMatchObject({ result: "unchanged", tasks_changed: 1 });
    await expect(stat(host.state("aa", "staged"))).rejects.toThrow();
  });

  test("has no device nodes of the published tree but harmless ones, and mount points of root", async () => {
    const host = await published();
    const nodes: [string, string][] = [
      ["disk", "b 7 0"],
      ["zero", "c 1 5"],
    ];
    for (const [name, numbers] of nodes)
      await execa("mknod", [join(host.root, "aa/root", name), ...numbers.split(" ")]);
    const mountPoint = `${host.directory}/aa.yml:/mnt/of/a-file:ro`;
    await rewrite(host, "- raw: grep -q nspawn_runner /mnt/of/a-file", `nspawn_runner_binds: ['${mountPoint}']`);
    const result = await host.run(["site.yml"]);
    expect(sentence(result, "aa")).toBe("");
    expect(readFileSync(host.state("aa", "last.log"), "utf8")).toContain(
      "removed the device node root/disk (block device 7:0)",
    );
    expect(readdirSync(join(host.root, "aa/root"))).toEqual(["zero"]);
    for (const path of ["mnt", "mnt/of", "mnt/of/a-file"]) {
      const { uid, gid } = await stat(join(host.root, "aa", path));
      expect([path, uid, gid]).toEqual([path, 0, 0]);
    }
  });

  test("on a file system that cannot map owners is refused before its creation, unless the image has no user namespace", async () => {
    const root = join(await unmappable(), "images");
    const host = await runnerHost({}, [], "test", root);
    const source = await busyboxTree(join(host.directory, "source"));
    const create = `nspawn_runner_create_command: [cp, --archive, --no-target-directory, ${source}, '{{ nspawn_runner_tree }}']`;
    await rewrite(host, write("one"), create);
    const refused = await host.run(["site.yml"]);
    expect(sentence(refused, "aa")).toBe(
      `aa: ${notMapped(host.state("aa", ""))}: use another file system, or set nspawn_runner_user_namespace: false for the image, which weakens the wall between container and host`,
    );
    await rewrite(host, write("one"), `${create}, nspawn_runner_user_namespace: false`);
    const result = await host.run(["site.yml"]);
    expect(sentence(result, "aa")).toBe("");
    expect(word(host)).toBe("one");
  });

  test("of a playbook that fails in the last task is dropped, or kept on request", async () => {
    const host = await published();
    const { ino } = await stat(join(host.root, "aa"));
    await rewrite(host, `${write("broken")}\n- fail: {msg: at the end}`);
    const dropped = await host.run(["site.yml"]);
    expect(dropped.exitCode).toBe(2);
    expect(sentence(dropped, "aa")).toContain("at the end");
    expect(summary(dropped, "aa").slice(0, 2)).toEqual(["failed", "1"]);
    const kept = await host.run(["site.yml", "-e", "nspawn_runner_keep_failed=true"]);
    expect(sentence(kept, "aa")).toContain(`the tree of this moment is kept in ${host.state("aa", "failed")}`);
    expect(readFileSync(host.state("aa", "failed/etc/word"), "utf8")).toBe("broken\n");
    expect(word(host)).toBe("one");
    expect((await stat(join(host.root, "aa"))).ino).toBe(ino);
    await expect(stat(host.state("aa", "staged"))).rejects.toThrow();
    expect(state(host).last_run).toMatchObject({ result: "failed", tasks_changed: 1 });

    // The next success removes that tree. The tasks of this one see a proxy, of which the tree has nothing but this file.
    const proxy = "http://proxy.example.org:3128";
    await rewrite(
      host,
      "- raw: echo $http_proxy $HTTPS_PROXY $no_proxy >/etc/word",
      `nspawn_runner_chroot_suite: bookworm, nspawn_runner_proxy: '${proxy}', nspawn_runner_environment: {no_proxy: a}`,
    );
    expect(sentence(await host.run(["site.yml"]), "aa")).toBe("");
    expect(word(host)).toBe(`${proxy} ${proxy} a`);
    expect(readdirSync(host.state("aa", ""))).not.toContain("failed");
    const creation = JSON.stringify(state(host));
    expect(creation).not.toContain("proxy.example.org");
  });

  test.each([
    ["meta: end_host", playbook("aa", `${write("two")}\n- meta: end_host`)],
    ["meta: end_play", playbook("aa", `${write("two")}\n- meta: end_play`)],
    ["the first of two plays", playbook("aa", "- meta: end_host") + playbook("aa", write("two"))],
  ])("of a play that ends early is not published: %s", async (_, text) => {
    const host = await published();
    await writeFile(join(host.directory, "aa.yml"), text);
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(sentence(result, "aa")).toContain("ended before its last task, by meta: end_host or end_play");
    expect(word(host)).toBe("one");
  });

  test("is published by a run with --tags as well, and never bypassed by --tags, --skip-tags or --start-at-task", async () => {
    const host = await published();
    const { ino } = await stat(join(host.root, "aa"));
    await rewrite(
      host,
      `- name: First\n  raw: echo two >/etc/word\n  tags: first\n- name: Second\n  fail:\n  tags: second`,
    );
    const started = await host.run(["site.yml", "--start-at-task", "First"]);
    expect(started.stdout).not.toContain("aa |");
    await host.run(["site.yml", "--skip-tags", "always"]);
    expect((await stat(join(host.root, "aa"))).ino).toBe(ino);
    const some = await host.run(["site.yml", "--tags", "first"]);
    expect(summary(some, "aa")[0]).toBe("published");
    expect(word(host)).toBe("two");
    expect((await stat(join(host.root, "aa"))).ino).not.toBe(ino);
  });

  test("with --check: tasks with check_mode false run, and the image does not change", async () => {
    const host = await published();
    await rewrite(host, `${write("two")}\n  check_mode: false`);
    const result = await host.run(["site.yml", "--check"]);
    expect(summary(result, "aa").slice(0, 2)).toEqual(["would be published", "1"]);
    expect(word(host)).toBe("one");
    await expect(stat(host.state("aa", "staged"))).rejects.toThrow();
  });

  test("cannot be replaced by another tree by variables", async () => {
    const host = await published();
    await rewrite(host, write("two"));
    const other = await busyboxTree(join(host.directory, "other"));
    for (const name of ["ansible_host", "ansible_ssh_host", "ansible_connection", "ansible_chroot_exe"]) {
      const refused = await host.run(["site.yml", "-e", `${name}=${name === "ansible_connection" ? "local" : other}`]);
      expect(sentence(refused, "aa")).toContain(`-e ${name} would lead`);
    }
    const lines = ["ansible_host", "ansible_ssh_host"].map((name) => `${name}: ${other}\n`).join("");
    for (const directory of ["group_vars/all.yml", "host_vars/aa.yml"]) {
      await execa("mkdir", ["-p", join(host.directory, directory, "..")]);
      await writeFile(join(host.directory, directory), lines);
    }
    const result = await host.run(["site.yml"]);
    expect(sentence(result, "aa")).toBe("");
    expect(word(host)).toBe("two");
    await expect(stat(join(other, "etc/word"))).rejects.toThrow();
  });

  test("is not made from a link in the tree's place", async () => {
    const host = await published();
    await execa("mv", [join(host.root, "aa"), join(host.directory, "elsewhere")]);
    await symlink(join(host.directory, "elsewhere"), join(host.root, "aa"));
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(sentence(result, "aa")).toContain("is a symbolic link");
    expect(result.stdout + result.stderr).not.toMatch(/Traceback|An exception occurred/);
  });
});

describe("the definition of an image", () => {
  const copy = (from: string) =>
    `nspawn_runner_create_command: [cp, --archive, '${from}/.', '{{ nspawn_runner_tree }}']`;

  test("with a changed creation is reported, and the tree is rebuilt on request", async () => {
    const host = await runnerHost({}, []);
    const seeds = await Promise.all(["one", "two"].map((name) => busyboxTree(join(host.directory, name))));
    await writeFile(join(seeds[1] as string, "etc/second"), "");
    await rewrite(host, "- debug:", copy(seeds[0] as string));
    const made = await host.run(["site.yml"]);
    expect(summary(made, "aa")[0]).toBe("published");
    expect(state(host).published.creation.command[2]).toBe(`${seeds[0]}/.`);

    await rewrite(host, "- debug:", copy(seeds[1] as string));
    const reported = await host.run(["site.yml"]);
    expect(reported.exitCode).toBe(0);
    expect(summary(reported, "aa")[0]).toBe("unchanged");
    expect(sentence(reported, "aa")).toContain("nspawn_runner_create_command changed since the tree was created");
    await expect(stat(join(host.root, "aa/etc/second"))).rejects.toThrow();

    const rebuilt = await host.run(["site.yml", "-e", "nspawn_runner_maint_recreate=true"]);
    expect(summary(rebuilt, "aa")[0]).toBe("published");
    expect((await stat(join(host.root, "aa/etc/second"))).isFile()).toBe(true);
    expect(generations(host)).toHaveLength(1);
    const quiet = await host.run(["site.yml"]);
    expect(sentence(quiet, "aa")).toBe("");
  });

  test("with a playbook that fails publishes no new tree", async () => {
    const host = await runnerHost({}, []);
    const seed = await busyboxTree(join(host.directory, "seed"));
    await rewrite(host, "- fail:", copy(seed));
    const result = await host.run(["site.yml"]);
    expect(result.exitCode).toBe(2);
    expect(readdirSync(host.root)).toEqual([".nspawn-runner"]);
    await expect(stat(host.state("aa", "staged"))).rejects.toThrow();
  });
});

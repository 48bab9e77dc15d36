// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { chroot } from "../support/create-host.ts";
import { type Generation, ImageHost } from "../support/image-host.ts";
import { container, type Running, running, sleeper } from "../support/process.ts";
import { scratch } from "../support/scratch.ts";
import { busyboxTree } from "../support/trees.ts";

/** An image on which these trees were published, one after the other. */
async function imageWith(...contents: string[]): Promise<ImageHost> {
  const host = new ImageHost(scratch());
  for (const content of contents) await host.publish(content);
  return host;
}

const prune = (host: ImageHost, keep: number, days: number) =>
  // As in a run after the one that replaced the trees, and without mounts that were under way.
  host.call<string[]>(
    `generations.prune(p, ${keep}, ${days}, log.append)`,
    "generations._completes_mounts = lambda place, entry: True",
  );
const rollBack = (host: ImageHost, generation: string | null, check = false) =>
  host.call<[Generation, Generation]>(
    `generations.roll_back(p, ${generation === null ? "None" : `"${generation}"`}, ${check ? "True" : "False"})`,
  );
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().replace(/\.\d+Z$/, "Z");

describe("prune", () => {
  // Four generations, retired this long ago, the newest first.
  const ages = [0.5, 2, 10, 30];
  test.each([
    [0, 0, []],
    [3, 1, [0.5, 2, 10]],
    [1, 40, ages],
  ])("keeps the newest %d, and those that were replaced less than %d days ago", async (keep, days, kept) => {
    const host = await imageWith("a", "b", "c", "d", "e");
    host.edit(({ generations }) => {
      for (const [index, generation] of generations.entries()) generation.retired = daysAgo(ages[index] as number);
    });
    const before = host.ids();
    const { value } = await prune(host, keep, days);
    expect(value).toEqual(before.slice(kept.length));
    expect(host.ids()).toEqual(before.slice(0, kept.length));
    expect(host.contents()).toEqual(["e", "d", "c", "b", "a"].slice(0, kept.length + 1));
    expect(readdirSync(host.state).sort()).toEqual(["generations", "lock", "state.json"]);
  });

  test("with a clock that was set back, no generation is old", async () => {
    const host = await imageWith("a", "b");
    host.edit(({ generations }) => {
      for (const generation of generations) generation.retired = daysAgo(-100);
    });
    expect((await prune(host, 0, 1)).value).toEqual([]);
  });

  test("reports unknown entries, and leaves them alone", async () => {
    const host = await imageWith("a", "b");
    mkdirSync(join(host.state, "generations/mine"));
    const { value, log } = await prune(host, 0, 0);
    expect(value).toHaveLength(1);
    expect(log).toEqual([`${host.state}/generations has entries without a record, which are left alone: mine`]);
    expect(readdirSync(join(host.state, "generations"))).toEqual(["mine"]);
  });

  test("removes the record of a tree that was removed by hand", async () => {
    const host = await imageWith("a", "b", "c");
    const [newest, oldest] = host.ids();
    rmSync(join(host.state, "generations", newest as string), { recursive: true });
    expect((await prune(host, 5, 0)).value).toEqual([]);
    expect(host.ids()).toEqual([oldest]);
  });

  test("removes a tree with an immutable root directory", async () => {
    const host = await imageWith("a", "b");
    await execa("chattr", ["+i", join(host.state, "generations", host.ids()[0] as string)]);
    expect((await prune(host, 0, 0)).value).toHaveLength(1);
    expect(host.contents()).toEqual(["b"]);
  });

  test("never raises: a damaged record is a line in the log", async () => {
    const host = await imageWith("a", "b");
    writeFileSync(join(host.state, "state.json"), "{");
    const { value, log } = await prune(host, 0, 0);
    expect(value).toEqual([]);
    expect(log.join()).toMatch(/^old generations of image img were not pruned: \S+state.json is not valid JSON/);
  });
});

describe("a generation in use is not pruned", () => {
  /** Starts a user of the published tree, replaces the tree, and prunes: while the user runs, and after the user's end. */
  async function expectKept(start: (host: ImageHost) => Promise<Running>, by: RegExp, user = by): Promise<void> {
    const host = new ImageHost(scratch());
    await busyboxTree(join(host.state, "staged"));
    writeFileSync(join(host.state, "staged/v"), "old");
    expect((await host.call("publish.publish(p, {})")).error).toBeUndefined();
    const users = async () => (await host.call<string[]>("in_use.users([p.path])")).value;
    expect(await users()).toEqual([]);
    const { end } = await start(host);
    expect(await users()).toEqual([expect.stringMatching(`^${user.source}$`)]);
    await host.publish("new");
    const [id] = host.ids();
    const { value, log } = await prune(host, 0, 0);
    expect(value).toEqual([]);
    expect(log).toEqual([
      expect.stringMatching(
        `^generation ${id} stays: ${host.state}/generations/${id} is in use by ${by.source}: wait until it ends$`,
      ),
    ]);
    expect(host.contents()).toEqual(["new", "old"]);
    await end();
    expect(await prune(host, 0, 0)).toEqual({ value: [id], log: [] });
    expect(host.contents()).toEqual(["new"]);
  }

  test("by a container", () =>
    expectKept(
      (host) => running(container(host.tree, "--read-only", ...sleeper)),
      /a container of systemd-nspawn/,
      /container \(process \d+\)/,
    ));

  test("by a process in the tree", () =>
    expectKept((host) => running(sleeper, join(host.tree, "root")), /process \d+ \(\w+\)/));

  test("by an overlay whose options still name the published path", () =>
    expectKept(
      (host) => {
        const directory = scratch();
        for (const name of ["upper", "work", "merged"]) mkdirSync(join(directory, name));
        const options = `lowerdir=${host.tree},upperdir=${directory}/upper,workdir=${directory}/work`;
        const script = `mount -t overlay overlay -o ${options} ${directory}/merged && echo up && exec sleep 600`;
        return running(["unshare", "--mount", "/bin/sh", "-c", script]);
      },
      /the mount \S+\/merged, made when the tree was at \S+\/img/,
      /the mount \S+\/merged that process \d+ sees/,
    ));

  test("not by an overlay of the present tree", async () => {
    const host = await imageWith("a", "b");
    const directory = scratch();
    for (const name of ["upper", "work", "merged"]) mkdirSync(join(directory, name));
    const options = `lowerdir=${host.tree},upperdir=${directory}/upper,workdir=${directory}/work`;
    await execa("mount", ["-t", "overlay", "overlay", "-o", options, join(directory, "merged")]);
    expect((await prune(host, 0, 0)).value).toHaveLength(1);
  });

  test("not by a later overlay with the same device number", async () => {
    const host = await imageWith("a");
    const mount = async (job: string): Promise<string> => {
      const directory = scratch();
      for (const name of ["upper", "work", "merged"]) mkdirSync(join(directory, name));
      const options = `lowerdir=${host.tree},upperdir=${directory}/upper,workdir=${directory}/work`;
      await execa("mount", ["-t", "overlay", job, "-o", options, join(directory, "merged")]);
      return join(directory, "merged");
    };
    const first = await mount("first");
    await host.publish("b");
    await execa("umount", [first]);
    const second = await mount("second");
    // The kernel reuses a free number at once, unless another test took the number.
    const number = (await execa("findmnt", ["--noheadings", "--output=MAJ:MIN", second])).stdout.trim();
    const path = join(host.state, "state.json");
    const recorded = readFileSync(path, "utf8");
    const given = recorded.replace(/("mounts": \[\s*")\d+:\d+/, `$1${number}`);
    expect(given).toContain(`"${number}`);
    writeFileSync(path, given);
    expect((await prune(host, 0, 0)).value).toHaveLength(1);
  });
});

describe("roll back", () => {
  test("goes back to the replaced tree, not to a tree that an earlier rollback left", async () => {
    const host = await imageWith("good", "bad");
    const good = host.ids()[0] as string;
    await rollBack(host, null);
    expect(host.contents()[0]).toBe("good");
    await host.call("generations.release(p)");
    // Times in records are in seconds.
    await new Promise((done) => setTimeout(done, 1100));
    await host.publish("bad again");
    expect((await rollBack(host, null)).value?.[1]?.id).toBe(good);
    expect(host.contents()[0]).toBe("good");
  });

  test("goes back by one each time, and holds the image until a release", async () => {
    const host = await imageWith("a", "b", "c");
    const [b, a] = host.ids() as [string, string];
    const c = host.load().published?.id as string;
    expect((await rollBack(host, null, true)).value?.map(({ id }) => id)).toEqual([c, b]);
    expect(host.contents()).toEqual(["c", "b", "a"]);
    expect((await rollBack(host, null)).value?.map(({ id }) => id)).toEqual([c, b]);
    expect(host.contents()).toEqual(["b", "c", "a"]);
    expect(host.load()).toMatchObject({ published: { id: b, tasks_changed: 1 }, hold: { generation: b } });
    expect(host.load().published).not.toHaveProperty("retired");
    expect((await rollBack(host, null)).value?.map(({ id }) => id)).toEqual([b, a]);
    expect(host.contents()).toEqual(["a", "c", "b"]);
    expect((await rollBack(host, null)).error).toBe(
      `image img has no generation older than the published one: choose one of ${c}, ${b}`,
    );
    expect(host.load().hold?.generation).toBe(a);
    expect([
      (await host.call("generations.release(p)")).value,
      (await host.call("generations.release(p)")).value,
    ]).toEqual([true, false]);
    expect(host.load()).not.toHaveProperty("hold");
    // As by the next maintenance.
    const d = await host.publish("d");
    expect(host.contents()).toEqual(["d", "c", "b", "a"]);
    expect(d.id > c).toBe(true);
  });

  test("goes to a generation by id, also forward; to the present one only the hold is set", async () => {
    const host = await imageWith("a", "b", "c");
    const c = host.load().published?.id as string;
    const a = host.ids()[1] as string;
    await rollBack(host, a);
    expect((await rollBack(host, c)).value?.map(({ id }) => id)).toEqual([a, c]);
    expect(host.contents()).toEqual(["c", "b", "a"]);
    await host.call("generations.release(p)");
    expect((await rollBack(host, c, true)).value?.map(({ id }) => id)).toEqual([c, c]);
    expect(host.load()).not.toHaveProperty("hold");
    await rollBack(host, c);
    expect(host.load().hold?.generation).toBe(c);
  });

  test("to an unknown generation is refused, and the message names the known ones", async () => {
    const host = await imageWith("a", "b");
    for (const name of ["20000101T000000Z", "../../img", ""]) {
      expect((await rollBack(host, name)).error).toBe(
        `image img has no generation '${name}': choose one of ${host.ids()}`,
      );
    }
    expect((await rollBack(await imageWith("a"), null)).error).toBe(
      "image img has no generation older than the published one",
    );
    expect(host.contents()).toEqual(["b", "a"]);
  });

  test("works without a published tree", async () => {
    const host = await imageWith("a", "b");
    rmSync(host.tree, { recursive: true });
    expect((await rollBack(host, null)).value).toMatchObject([{}, { id: expect.any(String) }]);
    expect(host.contents()).toEqual(["a"]);
    expect(host.ids()).toEqual([]);
  });

  test("from a tree that was made by hand", async () => {
    const host = await imageWith("a", "b");
    const [a] = host.ids();
    rmSync(join(host.state, "state.json"));
    writeFileSync(
      join(host.state, "state.json"),
      JSON.stringify({ format: 1, image: "img", generations: [{ id: a, retired: daysAgo(1) }] }),
    );
    const { value } = await rollBack(host, null);
    expect(value?.[1].id).toBe(a);
    expect((value?.[0].id as string) > (a as string)).toBe(true);
    expect(host.contents()).toEqual(["a", "b"]);
  });
});

test("ids go up, also when the clock goes back", async () => {
  const host = new ImageHost(scratch());
  const ids: string[] = [];
  for (const clock of ["2026-05-05", "2026-05-05", "2025-01-01", "2027-01-01", "2020-01-01"]) {
    host.stage(clock);
    const before = `time.time = lambda: ${Date.parse(clock) / 1000}`;
    ids.push((await host.call<Generation>("publish.publish(p, {})", before)).value?.id as string);
  }
  expect(ids).toEqual([
    "20260505T000000Z",
    "20260505T000001Z",
    "20260505T000002Z",
    "20270101T000000Z",
    "20270101T000001Z",
  ]);
  expect(host.ids()).toEqual(ids.slice(0, -1).reverse());
});

describe("a record that cannot be used is not changed", () => {
  test.each([
    ["{", "is not valid JSON: restore it from a backup, or move it away"],
    ['{"format": 2}', "was written by a newer version of nspawn.runner: install that version or a later one"],
  ])("%s", async (text, problem) => {
    const host = new ImageHost(scratch());
    writeFileSync(join(host.state, "state.json"), text);
    host.stage("new");
    for (const action of [
      "record.load(p)",
      "publish.publish(p, {})",
      "generations.roll_back(p, None)",
      "generations.release(p)",
    ]) {
      expect((await host.call(action)).error).toBe(`${host.state}/state.json ${problem}`);
    }
    expect(readFileSync(join(host.state, "state.json"), "utf8")).toBe(text);
    expect(existsSync(host.tree)).toBe(false);
  });

  test("a link in the place of the record", async () => {
    const host = new ImageHost(scratch());
    await execa("ln", ["-s", "/etc/hostname", join(host.state, "state.json")]);
    expect((await host.call("record.load(p)")).error).toBe(
      `${host.state}/state.json cannot be read: Too many levels of symbolic links: remove this symbolic link`,
    );
  });
});

test("the record is private", async () => {
  const host = await imageWith("a", "b");
  expect(statSync(join(host.state, "state.json")).mode & 0o777).toBe(0o600);
  expect(statSync(join(host.state, "generations")).mode & 0o777).toBe(0o700);
});

test("the tree of a failed maintenance is kept, in the place of the one before", async () => {
  const host = await imageWith("a");
  for (const content of ["x", "y"]) {
    host.stage(content);
    await execa("chattr", ["+i", join(host.state, "staged")]);
    expect((await host.call("generations.keep_failed(p)")).value).toBe(join(host.state, "failed"));
    expect(readFileSync(join(host.state, "failed/v"), "utf8")).toBe(content);
  }
  const { end } = await running(sleeper, join(host.state, "failed"));
  host.stage("z");
  expect((await host.call("generations.keep_failed(p)")).error).toMatch(/failed is in use by process \d+ /);
  expect(readFileSync(join(host.state, "failed/v"), "utf8")).toBe("y");
  await end();
  await host.call("publish.recover(p)");
  expect(readdirSync(host.state).sort()).toEqual(["failed", "generations", "lock", "state.json"]);
  expect(host.load().published).toBeDefined();
});

describe("nspawn.runner.chroot", () => {
  test("absent: refused while a generation is in use; later everything is removed", async () => {
    const host = await imageWith("a", "b");
    const params = { name: "img", root: host.root, state: "absent" };
    host.stage("x");
    await host.call("generations.keep_failed(p)");
    const generation = join(host.state, "generations", host.ids()[0] as string);
    const { end } = await running(sleeper, generation);
    for (const check of [true, false]) {
      const refused = await chroot(params, { check });
      expect(refused.msg).toMatch(new RegExp(`^${generation} is in use by process \\d+ `));
    }
    expect(host.contents()).toEqual(["b", "a"]);
    await end();
    expect(await chroot(params, { check: true })).toMatchObject({ exitCode: 0, changed: true });
    expect(host.contents()).toEqual(["b", "a"]);
    expect(await chroot(params)).toMatchObject({ exitCode: 0, changed: true });
    expect(existsSync(host.tree)).toBe(false);
    expect(existsSync(host.state)).toBe(false);
    expect(await chroot(params)).toMatchObject({ exitCode: 0, changed: false });
  });

  test("absent: generations are removed also without a published tree", async () => {
    const host = await imageWith("a", "b");
    rmSync(host.tree, { recursive: true });
    expect(await chroot({ name: "img", root: host.root, state: "absent" })).toMatchObject({
      exitCode: 0,
      changed: true,
    });
    expect(existsSync(host.state)).toBe(false);
  });

  test("recreate: the record of the old tree is not the new tree's; the generations stay", async () => {
    const host = await imageWith("a", "b");
    const command = [
      "/bin/sh",
      "-c",
      "mkdir -p $0/usr/bin && cp /bin/busybox $0/usr/bin/sh && ln -s usr/bin $0/bin",
      "{tree}",
    ];
    expect(await chroot({ name: "img", root: host.root, command, recreate: true })).toMatchObject({
      exitCode: 0,
      changed: true,
    });
    expect(host.load()).not.toHaveProperty("published");
    expect(host.ids()).toHaveLength(1);
    expect(existsSync(join(host.tree, "usr/bin/sh"))).toBe(true);
  });
});

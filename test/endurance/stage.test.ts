// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ImageHost, python } from "../support/image-host.ts";
import { scratch } from "../support/scratch.ts";

const IMPORT =
  "from ansible_collections.nspawn.runner.plugins.module_utils._image import leftovers, stage; from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath, compare, remove; import threading";

test("a million files are copied, compared, published and removed in bounded time and memory", async () => {
  const directory = scratch();
  // On tmpfs: the time of a disk is not measured.
  await execa("mount", ["-t", "tmpfs", "-o", "size=8g,nr_inodes=3m", "tmpfs", directory]);
  const host = new ImageHost(directory);
  mkdirSync(host.tree);
  await python(
    `for d in range(1000):
    os.mkdir(f"{sys.argv[1]}/{d}")
    for n in range(1000):
        os.close(os.open(f"{sys.argv[1]}/{d}/{n}", os.O_CREAT | os.O_WRONLY))`,
    [host.tree],
  );
  const before = `${IMPORT}
import resource
used = lambda: sum(os.times()[:4])
def all():
    way, moment = stage.stage_tree(p, log.append)
    before = used()
    same = compare.difference(p.staged, p.path, moment)
    seconds = used() - before
    os.unlink(p.staged + "/77/7")
    other = compare.difference(p.staged, p.path, moment)
    publish.publish(p, {})
    # The first run after a publish leaves the replaced tree for the next one.
    for _run in range(2):
        generations.prune(p, 0, 0, log.append)
    left = os.listdir(p.generations)
    return [way, same, other, left, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]`;
  const { value } = await host.call<[string, null, string, string[], number, number]>("all()", before);
  expect(value?.slice(0, 4)).toEqual(["copy", null, "77/7", []]);
  // Seconds of processor time, and mebibytes.
  expect(value?.[4]).toBeLessThan(20);
  expect(value?.[5]).toBeLessThan(150);
  expect(existsSync(join(host.tree, "77/7"))).toBe(false);
  expect(existsSync(join(host.tree, "999/999"))).toBe(true);
});

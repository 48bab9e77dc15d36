// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether a maintenance changed a tree: each kind of change is seen, and ignored paths are not.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ignoredPaths } from "../../src/model/ignored-paths.ts";
import { ImageHost } from "../support/image-host.ts";
import { scratch } from "../support/scratch.ts";
import { debianSource } from "../support/trees.ts";

const IMPORT = `
from ansible_collections.nspawn.runner.plugins.module_utils._image import stage
from ansible_collections.nspawn.runner.plugins.module_utils._tree import compare, packages, remove
import subprocess
def shell(script, where):
    subprocess.run(["/bin/bash", "-ec", script], cwd=where, check=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
def later():
    # Without the pause, copy and change are in the same tick of the clock, and the whole tree is compared.
    time.sleep(0.05)
    return stage.moment(p.state)
def compare_rows(rows, offset):
    found = []
    for row in rows:
        way, _moment = stage.stage_tree(p, log.append)
        since = later()
        try:
            for tree, script in row.items():
                shell(script, getattr(p, "path" if tree == "published" else tree))
            found.append(compare.difference(p.staged, p.path, since._replace(offset=since.offset + offset)))
        finally:
            remove.remove_tree(p.staged, wait=False)
    return found
`;

const FILL = `
umask 022
mkdir -p etc/sub bin var/lib/dpkg/info odd a/deep b/deep srv
for name in etc/file etc/other a/deep/file; do echo 1234 > $name; done
echo 5678 > b/deep/file
ln etc/file etc/hard
echo lonely > etc/lonely
ln -s file etc/link
mkfifo odd/fifo
mknod odd/null c 1 3
truncate --size=5M odd/large
cp /bin/true bin/true
setcap cap_net_raw+ep bin/true
setfattr -n user.some -v 1 etc/file
touch -h -d 2001-01-01 etc/* a/deep/file b/deep/file odd/* bin/true
touch -d 2001-01-01 etc a/deep b/deep a b srv
`;

/** Commands on the staged tree, each with the path that differs afterwards, or the paths; null for no difference. */
type Rows = Record<string, readonly [script: string, path: string | readonly string[] | null]>;

const CHANGES: Rows = {
  nothing: ["true", null],
  "content of the same size and time": [
    "printf 12x4 | dd of=etc/lonely conv=notrunc status=none; touch -d 2001-01-01 etc/lonely",
    "etc/lonely",
  ],
  "the last byte of a large file": [
    "printf x | dd of=odd/large bs=1 seek=$((5*1024*1024-1)) conv=notrunc status=none; touch -d 2001-01-01 odd/large",
    "odd/large",
  ],
  size: ["echo >> etc/lonely; touch -d 2001-01-01 etc/lonely", "etc/lonely"],
  "time of a file": ["touch -d 2001-01-02 etc/lonely", null],
  "a part of a second of it": ["touch -d '2001-01-01 00:00:00.000000001' etc/lonely", null],
  "mode of a file": ["chmod 600 etc/lonely", "etc/lonely"],
  setuid: ["chmod u+s etc/lonely", "etc/lonely"],
  "mode of a directory": ["chmod 700 etc/sub", "etc/sub"],
  "mode of the tree": ["chmod 700 .", "."],
  owner: ["chown 5 etc/lonely", "etc/lonely"],
  group: ["chgrp 5 etc/sub", "etc/sub"],
  "owner of a link": ["chown -h 5 etc/link", "etc/link"],
  "target of a link": ["ln -sfn fila etc/link; touch -h -d 2001-01-01 etc/link", "etc/link"],
  "a link in place of a file": ["rm etc/lonely; ln -s other etc/lonely", "etc/lonely"],
  "a directory in place of a file": ["rm etc/lonely; mkdir etc/lonely", "etc/lonely"],
  "a device": ["rm odd/null; mknod odd/null c 1 5; touch -d 2001-01-01 odd/null", "odd/null"],
  "a FIFO in place of a device": ["rm odd/null; mkfifo odd/null", "odd/null"],
  "an attribute": ["setfattr -n user.some -v 2 etc/file", "etc/file"],
  "an attribute more": ["setfattr -n trusted.more -v 2 etc/sub", "etc/sub"],
  "an attribute less": ["setfattr -x user.some etc/file", "etc/file"],
  "an access list": ["setfacl -m u:5:r etc/lonely && chmod g=r etc/lonely", "etc/lonely"],
  "a default access list": ["setfacl -m d:u:5:r etc/sub", "etc/sub"],
  capabilities: ["setcap cap_chown+ep bin/true", "bin/true"],
  "capabilities less": ["setcap -r bin/true", "bin/true"],
  "a new file": ["touch etc/new", "etc/new"],
  "a new directory": ["mkdir srv/new", "srv/new"],
  "a missing file": ["rm etc/other", "etc/other"],
  "a missing directory": ["rmdir etc/sub", "etc/sub"],
  "another name": ["mv etc/other etc/another", ["etc/another", "etc/other"]],
  "two files that change places": [
    "mv etc/other x; mv etc/lonely etc/other; mv x etc/lonely",
    ["etc/lonely", "etc/other"],
  ],
  "two directories that change places": ["mv a x; mv b a; mv x b", ["a/deep/file", "b/deep/file"]],
  "a hard link more": ["ln etc/other srv/new", ["etc/other", "srv/new"]],
  "a hard link less": ["cp -p etc/hard x; mv x etc/hard", ["etc/file", "etc/hard"]],
  "an odd name": ["touch $'etc/new\\nline \\377'", "etc/new\nline \udcff"],
  // A change that was undone is no difference.
  "a file that was written again": ["echo lonely > etc/lonely", null],
  "a file that was written again with other data": ["echo LONELY > etc/lonely", "etc/lonely"],
  "a sparse file that was written again": ["rm odd/large; head -c 5M /dev/zero > odd/large", null],
  "files and links that were made again": [
    "cp etc/lonely x; mv x etc/lonely; ln -sfn file etc/link; rm odd/fifo; mkfifo odd/fifo; rmdir etc/sub; mkdir etc/sub",
    null,
  ],
  "capabilities that were set again": ["cp bin/true x; mv x bin/true; setcap cap_net_raw+ep bin/true", null],
  "capabilities that were lost": ["cp bin/true x; mv x bin/true", "bin/true"],
  "a file that was replaced by its copy": ["cp -a etc/lonely x; mv x etc/lonely", null],
  "a file that came and went": ["touch etc/new; rm etc/new", null],
  "a directory that was renamed and is back": ["mv a x; mv x a", null],
  "time of a directory": ["touch etc", null],
  "a mode that is back": ["chmod 600 etc/lonely; chmod 644 etc/lonely", null],
};

const plain = ignoredPaths.filter(({ anywhere, files }) => !anywhere && !files).map(({ path }) => path);
// With a directory for "*".
const ends = ignoredPaths.filter(({ anywhere }) => anywhere).map(({ path }) => path.replace("*", "name"));

/** The same for ignored paths. The parent directories exist. */
const IGNORED: Rows = {
  ...Object.fromEntries(plain.map((path) => [`a directory ${path}`, [`mkdir ${path}; echo > ${path}/x`, null]])),
  ...Object.fromEntries(plain.map((path) => [`a file ${path}`, [`echo > ${path}`, null]])),
  ...Object.fromEntries(ends.map((end) => [`a directory ${end}`, [`mkdir ends/${end}; echo > ends/${end}/x`, null]])),
  ...Object.fromEntries(ends.map((end) => [`a file ${end}`, [`echo > ends/${end}`, null]])),
  "all of it": [plain.map((path) => `mkdir ${path}; echo > ${path}/x`).join(";"), null],
  "what is beside it": ["touch tmp2 var/log.1", ["tmp2", "var/log.1"]],
  "what only ends like it": ["mkdir srv/tmp", "srv/tmp"],
};

/** The same in var/log, which has files and a directory. */
const LOGS: Rows = {
  "files in it": ["echo > var/log/new; echo > var/log/some/new; rm var/log/old; chmod 600 var/log/some/old", null],
  "a link in it": ["ln -s /etc var/log/link", null],
  "a new directory in it": ["mkdir -p var/log/other/deep; echo > var/log/other/file", "var/log/other"],
  "a directory less": ["rm -r var/log/some", "var/log/some"],
  "a file in place of a directory": ["rm -r var/log/some; echo > var/log/some", "var/log/some"],
  "the mode of a directory in it": ["chmod 700 var/log/some", "var/log/some"],
  "its mode": ["chmod 700 var/log", "var/log"],
  "its owner": ["chown 5 var/log", "var/log"],
  "no such directory": ["rm -r var/log", "var/log"],
};

/** Hostile trees, and trees that were changed during the comparison. */
const HOSTILE: Rows = {
  "a link in place of a directory": ["rm -r a; ln -s b a", "a"],
  "a link out in place of a directory": ["rm -r etc; ln -s /etc etc", "etc"],
  "a link in place of what is ignored": ["rm -r var; ln -s /var var", "var"],
  "a FIFO in place of a file": ["rm etc/lonely; mkfifo etc/lonely", "etc/lonely"],
  "a link to the same": ["mv etc/lonely srv/lonely; ln -s ../srv/lonely etc/lonely", ["etc/lonely", "srv/lonely"]],
};

describe("a change is seen, unless the path is ignored", () => {
  const host = new ImageHost(scratch("file"));

  beforeAll(async () => {
    mkdirSync(host.tree);
    const parents = [...plain, ...ends.map((end) => `ends/${end}`)]
      .map((path) => `mkdir -p ${dirname(path)}`)
      .join("\n");
    await run("None", `shell(${JSON.stringify(`${FILL}\n${parents}`)}, p.path)`);
  });

  async function run<T>(expression: string, before = ""): Promise<T> {
    const { value, error } = await host.call<T>(expression, `${IMPORT}\n${before}`);
    if (error) throw new Error(error);
    return value as T;
  }

  const compare = (rows: Record<string, string>[], offset = 0) =>
    run<(string | null)[]>(`compare_rows(json.loads(${JSON.stringify(JSON.stringify(rows))}), ${offset})`);

  async function expectFound(table: Rows, offset = 0) {
    const rows = Object.entries(table);
    const found = await compare(
      rows.map(([, [script]]) => ({ staged: script })),
      offset,
    );
    expect(Object.fromEntries(rows.map(([name], n) => [name, found[n]]))).toEqual(
      // The order of a directory's entries is the file system's.
      Object.fromEntries(
        rows.map(([name, [, path]]) => [name, Array.isArray(path) ? expect.toBeOneOf([...path]) : path]),
      ),
    );
  }

  describe.each([0, 3600])("with the clock set by %i s since", (offset) => {
    test("each kind of change", () => expectFound(CHANGES, offset));
    test("ignored paths", () => expectFound(IGNORED, offset));
    test("hostile trees", () => expectFound(HOSTILE, offset));

    test("an ignored directory, and directories in var/log", async () => {
      await run("shell('mkdir -p var/log/some; echo > var/log/old; echo > var/log/some/old', p.path)");
      await expectFound(LOGS, offset);
      await run("shell('rm -r var/log', p.path)");
    });
  });

  test("a touched file is compared with a published tree in which a link replaced a directory", async () => {
    const swapped = { published: "mv a x; ln -s x a", staged: "chmod 600 a/deep/file; chmod 644 a/deep/file" };
    expect(await compare([swapped])).toEqual(["a"]);
    await run("shell('rm a; mv x a', p.path)");
  });

  test("files that were not touched are not read, unless the clock was set", async () => {
    const rows = { published: "chmod 600 etc/lonely" };
    expect(await compare([rows])).toEqual([null]);
    await run("shell('chmod 644 etc/lonely', p.path)");
    // The clock was set by less than the age of the copy, and no file was touched since.
    const slowly = "later = lambda: (time.sleep(1.3), stage.moment(p.state))[1]";
    expect(await run(`compare_rows([${JSON.stringify(rows)}], 1.1)`, slowly)).toEqual(["etc/lonely"]);
    await run("shell('chmod 644 etc/lonely', p.path)");
  });

  test("a change within the same tick of the clock, and one after the clock was set back by less than a second", async () => {
    const before = `
stage.stage_tree(p, log.append)
since = later()
shell("sleep 0.02; echo new > etc/lonely", p.staged)
tick = since._replace(change_time=os.lstat(p.staged + "/etc/lonely").st_ctime_ns)
back = since._replace(change_time=since.change_time + 700000000, offset=since.offset + 0.7)
forth = since._replace(offset=since.offset - 0.7)
def at_once():
    # Two readings of the clocks always differ a little.
    compare.clock_offset = lambda: since.offset
    return compare.difference(p.staged, p.path, tick)`;
    const all = "[compare.difference(p.staged, p.path, m) for m in (back, forth)] + [at_once()]";
    expect(await run(all, before)).toEqual(["etc/lonely", "etc/lonely", "etc/lonely"]);
    await run("remove.remove_tree(p.staged)");
  });
});

test("the packages of a Debian tree are the packages that dpkg lists", async () => {
  const tree = await debianSource();
  const { value } = await new ImageHost(scratch()).call<Record<string, string>>(
    `packages.installed_packages(${JSON.stringify(tree)})`,
    IMPORT,
  );
  expect(Object.keys(value ?? {}).length).toBeGreaterThan(80);
  expect(value?.["dpkg"]).toMatch(/^1\.21\./);
});

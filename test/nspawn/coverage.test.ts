// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The lines of a collection that ran, in each kind of process that Ansible or the collection starts.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { coverage, measurement } from "../../src/tool/coverage.ts";
import { files, scratch } from "../support/scratch.ts";

const program = `import os
def forked():
    return 1
def executed():
    os.execv("/bin/true", ["true"])
def isolated():
    return 2
def zipped():
    return 3
def unprivileged():
    return 4
def never():
    return 5
`;

const python = (path: string, code: string): string[] => {
  const program = "from ansible_collections.example.thing.plugins.module_utils import _program";
  return ["-I", "-c", `import os, sys; sys.path.insert(0, "${path}"); ${program}; ${code}`];
};

test.each([
  [75, true],
  [76, false],
])(
  "lines that ran in forks, before an exec, with -I, from a zip file, as another user: %d percent is enough: %s",
  async (enough, isEnough) => {
    const directory = scratch();
    const plugins = "ansible_collections/example/thing/plugins";
    await files(directory, {
      [`${plugins}/module_utils/_program.py`]: program,
      [`${plugins}/action/_lost.py`]: "a = 1\nb = 2\nc = 3\n",
      [`${plugins}/action/_omitted.py`]: "a = 1\n",
    });
    await mkdir(join(directory, "measured"));
    const zip = `import shutil; shutil.make_archive("${directory}/part", "zip", "${directory}", "ansible_collections")`;
    await execa("/usr/bin/python3", ["-c", zip]);
    await execa("cp", ["-R", join(directory, "ansible_collections"), join(directory, "measured")]);

    const options = { collection: join(directory, "ansible_collections/example/thing"), omit: ["_omitted.py"], enough };
    const { under, env } = await measurement(join(directory, "measured"), options);
    for (const run of [
      python(directory, "os.fork() == 0 and (_program.forked(), os._exit(0)); os.wait()"),
      python(directory, "_program.executed()"),
      python(join(directory, "measured"), "_program.isolated()"),
      python(join(directory, "part.zip"), "_program.zipped()"),
      python(directory, "os.setuid(65534); _program.unprivileged()"),
    ])
      await execa(under[0] as string, [...under.slice(1), "/usr/bin/python3", ...run], { env });

    const { table, ...result } = await coverage(join(directory, "measured"), options);
    const rows = table.split("\n").map((row) => row.split(/ {2,}|(?<=%) +/));
    expect(rows).toContainEqual(["action/_lost.py", "3", "3", "0%", "1-3"]);
    expect(rows).toContainEqual(["module_utils/_program.py", "13", "1", "92%", "13"]);
    expect(rows).toContainEqual(["TOTAL", "16", "4", "75%"]);
    expect(result).toEqual({ isEnough });
  },
);

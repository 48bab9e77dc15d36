// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The layers of src/ and of the collection's private Python, and the levels of test/, checked by the import lines of each file.

import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { listFiles } from "../../src/output/directory.ts";
import { run } from "../../src/tool/run.ts";

/** By folder of src/: the folders that a file in it may import from. Only `read` and `write` never meet, except in `ir`. */
const low = ["read", "write", "output", "tool"];
const folders: Readonly<Record<string, readonly string[]>> = {
  cli: ["command", "read", "tool"],
  command: ["gate", "bench", "lab", "artifact", ...low],
  gate: ["gate", "lab", "artifact", ...low],
  bench: ["bench", "model", ...low],
  lab: ["lab", ...low],
  artifact: ["artifact", ...low],
  read: ["read", "ir"],
  write: ["write", "ir"],
  output: ["output"],
  tool: ["tool", "model"],
  ir: ["ir"],
  model: ["model"],
};

/** By kind of private Python: its folders, of which a file may import from its own and the earlier ones, and all other imports. */
const plugins = "ansible_collections.nspawn.runner.plugins.";
const order = {
  module_utils: ["_spec", "_host", "_tree", "_image", "_session", "_create", "_job"],
  plugin_utils: ["_ansible", "_playbook", "_maintain", "_status", "_doctor", "_fleet"],
};
const others = { module_utils: [], plugin_utils: ["ansible", "yaml"] };

/** The import lines of a file of src/ or test/ that the file's layer does not allow. Tests may import from all of src/, and from test/support. */
function typescriptProblems(path: string, text: string): string[] {
  const layer = (file: string): string => file.replace(/^src\//, "").replace(/(\/.*|\.ts)$/, "");
  const level = (file: string): string => file.split("/")[1] ?? "";
  const allowed = (file: string): boolean => {
    if (path.startsWith("src/")) return folders[layer(path)]?.includes(layer(file)) ?? false;
    return file.startsWith("src/") || [level(path), "support"].includes(level(file));
  };
  const imports = [...text.matchAll(/\b(?:from|import) ?\(?"(\.[^"]+)"/g)].map(([, name = ""]) => name);
  return imports
    .filter((name) => !allowed(posix.join(posix.dirname(path), name)))
    .map((name) => `${path} imports ${name}`);
}

/** The import lines of a file of the collection, named from plugins/, that its layer does not allow, or a wrong place of the file. */
function pythonProblems(path: string, text: string, standard: ReadonlySet<string>): string[] {
  const [kind, folder = "", name] = path.split("/") as [keyof typeof order, string?, string?];
  const place = order[kind].indexOf(folder);
  if (place < 0 || name === undefined || name === "__init__.py") return [`${path} is in no folder of the layers`];
  const allowed = (module: string): boolean => {
    const [toKind = "", toFolder = ""] = module.startsWith(plugins) ? module.slice(plugins.length).split(".") : [];
    if (toKind === kind) return order[kind].slice(0, place + 1).includes(toFolder);
    if (toKind === "module_utils") return order.module_utils.includes(toFolder);
    const [top = ""] = module.split(".");
    return standard.has(top) || (others[kind] as readonly string[]).includes(top);
  };
  const lines = text.matchAll(/^[ \t]*(?:from[ \t]+(\S+)[ \t]+import\b|import[ \t]+([\w., \t]+?)[ \t]*(?:#.*)?$)/gm);
  const modules = [...lines].flatMap(([, from, list = ""]) => (from ? [from] : list.split(/\s+as\s+\w+|,/)));
  return modules
    .map((module) => module.trim())
    .filter((module) => module !== "" && !allowed(module))
    .map((module) => `${path} imports ${module}`);
}

test.each([
  ["src/command/a.ts", 'import { b } from "../tool/b.ts";', true],
  ["src/command/a.ts", 'import { b } from "./b.ts";', false],
  ["src/tool/a.ts", 'export { b } from "../command/b.ts";', false],
  ["src/tool/a.ts", 'import "../lab/b.ts";', false],
  ["src/write/schema/a.ts", 'import type { B } from "../../ir/b.ts";', true],
  ["src/write/schema/a.ts", 'import type { B } from "../../read/b.ts";', false],
  ["src/cli.ts", 'const b = (await import("./command/b.ts")).b;', true],
  ["src/cli.ts", 'const b = (await import("./artifact/b.ts")).b;', false],
  ["src/gate/a.ts", 'import {\n  b,\n} from "../bench/b.ts";', false],
  ["src/new/a.ts", 'import { b } from "./b.ts";', false],
  ["test/nspawn/a.test.ts", 'import { b } from "../support/b.ts";', true],
  ["test/nspawn/a.test.ts", 'import { b } from "../../src/tool/b.ts";', true],
  ["test/nspawn/a.test.ts", 'import { b } from "../ansible/b.ts";', false],
  ["test/support/a.ts", 'import { b } from "../nspawn/b.ts";', false],
])("%s: %j is allowed: %s", (path, text, isAllowed) => {
  expect(typescriptProblems(path, text).length).toBe(isAllowed ? 0 : 1);
});

test.each([
  ["module_utils/_tree/a.py", "import os, stat as s  # why", true],
  ["module_utils/_tree/a.py", "import os, yaml", false],
  ["module_utils/_tree/a.py", "from ansible.module_utils.basic import AnsibleModule", false],
  ["module_utils/_tree/a.py", `from ${plugins}module_utils._tree import beneath`, true],
  ["module_utils/_tree/a.py", `from ${plugins}module_utils._spec.layout import ROOT`, true],
  ["module_utils/_tree/a.py", `    from ${plugins}module_utils._image.place import Place`, false],
  ["module_utils/_tree/a.py", `import ${plugins}module_utils._create.finish as finish`, false],
  ["module_utils/_create/a.py", `from ${plugins}plugin_utils._ansible import trust`, false],
  ["module_utils/_create/a.py", `from ${plugins}module_utils import _host`, false],
  ["module_utils/_create/a.py", "from . import finish", false],
  ["module_utils/_create/a.py", "from ansible_collections.community.general.plugins.module_utils import x", false],
  ["module_utils/a.py", "", false],
  ["module_utils/_tree/__init__.py", "", false],
  ["plugin_utils/_playbook/a.py", "from ansible.errors import AnsibleError", true],
  ["plugin_utils/_playbook/a.py", `from ${plugins}module_utils._create import chroot`, true],
  ["plugin_utils/_playbook/a.py", `from ${plugins}plugin_utils._ansible.trust import (\n    trusted,\n)`, true],
  ["plugin_utils/_playbook/a.py", `from ${plugins}plugin_utils._doctor import check`, false],
  ["plugin_utils/_playbook/a.py", `from ${plugins}action import maintain`, false],
  ["plugin_utils/_strange/a.py", "", false],
])("%s: %j is allowed: %s", (path, text, isAllowed) => {
  expect(pythonProblems(path, text, new Set(["os", "stat"])).length).toBe(isAllowed ? 0 : 1);
});

test("every file of src/ and test/ imports only what its layer allows", async () => {
  const paths = [...(await listFiles(".", "src")), ...(await listFiles(".", "test"))];
  const problems = paths
    // The rows above are no imports.
    .filter((path) => path.endsWith(".ts") && !path.startsWith("test/case/") && path !== "test/unit/layers.test.ts")
    .map(async (path) => typescriptProblems(path, await readFile(path, "utf8")));
  expect((await Promise.all(problems)).flat()).toEqual([]);
  expect(problems.length).toBeGreaterThan(150);
});

test.each(["collection", "generated/collection"])(
  "every private Python file of %s imports only what its layer allows",
  async (half) => {
    const program = "import sys; print(*sys.stdlib_module_names)";
    const { output } = await run("python3", ["-c", program], { from: "Debian's package python3" });
    const directories = Object.keys(order).map((kind) => `plugins/${kind}`);
    const paths = (await Promise.all(directories.map((directory) => listFiles(half, directory)))).flat();
    const problems = paths.map(async (path) =>
      pythonProblems(
        path.slice("plugins/".length),
        await readFile(`${half}/${path}`, "utf8"),
        new Set(output.split(" ")),
      ),
    );
    expect((await Promise.all(problems)).flat()).toEqual([]);
    expect(paths.length).toBeGreaterThan(0);
  },
);

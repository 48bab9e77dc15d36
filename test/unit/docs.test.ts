// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The pages: each snippet that names an example is a part of that example, each link leads to a file and a heading, each name of the
// collection exists.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const examples = "collection/examples";
const guide = "collection/docs/docsite/rst/guide.rst";
const collectionReadme = "collection/README.md";
const markdown = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  collectionReadme,
  ...readdirSync("docs").map((name) => `docs/${name}`),
];
const pages = [...markdown, guide];
const read = (path: string): string => readFileSync(path, "utf8");

interface Snippet {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

/** Code blocks, without their indentation. */
function snippets(page: string): Snippet[] {
  const block = page.endsWith(".rst")
    ? /^( *)\.\. code-block:: (?<language>\S+)\n\n(?<text>(?:\1 +.*\n|\n)+)/gm
    : /^( *)```(?<language>\S+)\n(?<text>(?:.*\n)*?)\1```$/gm;
  return [...read(page).matchAll(block)].map(({ groups: { language = "", text = "" } = {} }) => ({
    page,
    language,
    text: text.replaceAll(new RegExp(`^${/^ */.exec(text)?.[0]}`, "gm"), ""),
  }));
}

/** Snippets of configuration whose first line is a comment with a path, such as `# /etc/nspawn-runner/site.yml`. */
const ofFiles = pages
  .flatMap(snippets)
  .filter(({ language }) => ["yaml", "ini"].includes(language))
  .flatMap((snippet) => {
    const path = /^# ?(\S+\.[a-z]+)\n/.exec(snippet.text)?.[1];
    return path === undefined ? [] : [{ ...snippet, file: basename(path) }];
  });

/** Whether each part of a snippet is a part of the file. A playbook's snippet can leave out variables and whole tasks. */
function isPart(file: string, snippet: string, whole: string): boolean {
  if (!file.endsWith(".yml")) return isOrderedPart(settings(snippet), settings(whole));
  const [part, all] = [parse(snippet), parse(whole)];
  if (!Array.isArray(part) || !Array.isArray(all)) return isDeepStrictEqual(part, all);
  return part.length === all.length && part.every((play, index) => isPartOfPlay(play, all[index]));
}

function isPartOfPlay(
  { vars = {}, tasks = [], ...part }: Play,
  { vars: allVars = {}, tasks: allTasks = [], ...all }: Play,
): boolean {
  return isPartOfMapping(part, all) && isPartOfMapping(vars, allVars) && isOrderedPart(tasks, allTasks);
}

interface Play {
  readonly vars?: object;
  readonly tasks?: readonly unknown[];
}

const isPartOfMapping = (part: object, all: object): boolean =>
  Object.entries(part).every(([key, value]) => isDeepStrictEqual(value, new Map(Object.entries(all)).get(key)));

function isOrderedPart(part: readonly unknown[], all: readonly unknown[]): boolean {
  let from = 0;
  return part.every((value) => {
    const at = all.findIndex((candidate, index) => index >= from && isDeepStrictEqual(value, candidate));
    from = at + 1;
    return at >= 0;
  });
}

/** Lines of an ini file, without comments. */
const settings = (text: string): readonly string[] =>
  text.split("\n").filter((line) => line !== "" && !/^#/.test(line));

describe("a snippet", () => {
  const play =
    "- hosts: a\n  vars: {one: 1, two: 2}\n  tasks:\n    - {raw: first}\n    - {raw: second}\n    - {raw: third}\n";
  const part = "- hosts: a\n  vars: {two: 2}\n  tasks:\n    - {raw: first}\n    - {raw: third}\n";

  test.each([
    ["a.yml", "# a comment\nplugin: a\n", "plugin: a\n", true],
    ["a.yml", "plugin: b\n", "plugin: a\n", false],
    ["a.yml", part, play, true],
    ["a.yml", part.replace("two: 2", "two: 3"), play, false],
    ["a.yml", part.replace("two", "three"), play, false],
    ["a.yml", part.replace("hosts: a", "hosts: b"), play, false],
    ["a.yml", part.replace("third", "fourth"), play, false],
    ["a.yml", part.replace("third", "first").replace("first", "third"), play, false],
    ["a.yml", part.replace("{raw: first}", "{raw: first, become: true}"), play, false],
    ["a.yml", `${part}- hosts: b\n`, play, false],
    ["a.cfg", "[a]\nb = 1\n", "# first\n[a]\n\n# second\nb = 1\nc = 2\n", true],
    ["a.cfg", "[a]\nb = 2\n", "[a]\nb = 1\n", false],
  ])("of %s, %j, as a part of %j: %s", (file, snippet, whole, isOne) => {
    expect(isPart(file, snippet, whole)).toBe(isOne);
  });

  test.each(ofFiles)("of $file in $page says what the example says", ({ file, text }) => {
    expect(readdirSync(examples)).toContain(file);
    expect(isPart(file, text, read(join(examples, file))), text).toBe(true);
  });

  test.each(["README.md", guide])("of each file that a host needs is in %s", (page) => {
    const files = ofFiles.filter((snippet) => snippet.page === page).map(({ file }) => file);
    expect(files).toEqual(expect.arrayContaining(["trixie.yml", "nspawn_runner.yml", "site.yml", "ansible.cfg"]));
  });
});

const withoutBlocks = (page: string): string => read(page).replaceAll(/^( *)```.*\n(?:.*\n)*?\1```$/gm, "");

/** Anchors of a page, as forges make them from headings. */
const anchors = (page: string): readonly string[] =>
  [...withoutBlocks(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );

/** Where a page's relative links start. The build puts generated files and the licence beside the collection's README. */
const places = (page: string): readonly string[] =>
  page === collectionReadme ? ["collection", "generated", "."] : [dirname(page)];

const links = markdown.flatMap((page) =>
  [...withoutBlocks(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = ""]) => ({ page, link })),
);

test.each(links)("the link $link in $page leads to a file and a heading", ({ page, link }) => {
  const [path = "", anchor] = link.split("#");
  const target =
    path === ""
      ? page
      : places(page)
          .map((place) => normalize(join(place, path)))
          .find((file) => existsSync(file));
  expect(target, "no such file").toBeDefined();
  if (anchor !== undefined) expect(anchors(target as string)).toContain(anchor);
});

test("each npm script installs the packages that it needs", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  for (const [name, command] of Object.entries(scripts)) expect(command, name).toMatch(/^node setup\.mjs && /);
});

test("README.md fits on a few screens, and links to each page of docs", () => {
  expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  const linked = links.filter(({ page }) => page === "README.md").map(({ link }) => link.replace(/#.*/, ""));
  expect(linked).toEqual(expect.arrayContaining(readdirSync("docs").map((name) => `docs/${name}`)));
});

test.each(pages)("%s names only content and variables that the collection has, and files that exist", (page) => {
  const directories = ["playbooks", ...readdirSync("collection/plugins").map((kind) => `plugins/${kind}`)];
  const content = directories
    .flatMap((directory) => readdirSync(join("collection", directory)))
    .map((file) => `nspawn.runner.${file.replace(/\.\w+$/, "")}`);
  const known = new Set([...content, ...(read("generated/spec.json").match(/nspawn_runner\w*/g) ?? [])]);
  const named = read(page).match(/(?<!ansible_collections\.)\bnspawn\.runner\.[a-z]\w+|\bnspawn_runner_\w+/g) ?? [];
  const files = read(page).match(/(?<=`)(?:src|test|collection)\/[\w./-]+\.\w+(?=`)/g) ?? [];
  expect([...named.filter((name) => !known.has(name)), ...files.filter((file) => !existsSync(file))]).toEqual([]);
});

test.each(["module_utils", "plugin_utils"])("docs/architecture.md names each file of %s", (kind) => {
  const rows = new Map(
    [...read("docs/architecture.md").matchAll(/^\| `(_\w+)` \| (.*) \|$/gm)].map(([, folder, row]) => [folder, row]),
  );
  const missing = ["collection", "generated/collection"]
    .map((top) => join(top, "plugins", kind))
    .filter((directory) => existsSync(directory))
    .flatMap((directory) => readdirSync(directory, { recursive: true, encoding: "utf8" }))
    .filter((file) => file.endsWith(".py"))
    .filter((file) => !rows.get(dirname(file))?.includes(`\`${basename(file, ".py")}\``));
  expect(missing).toEqual([]);
});

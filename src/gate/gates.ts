// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gates: the ecosystem's checkers, each in an exact version from PyPI and in an environment of its own.

import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { release } from "../artifact/release.ts";
import { integrationTarget } from "../tool/ansible-source.ts";
import { ansibleTestHome, useReleases } from "../tool/ansible-test.ts";
import { ansibleVersions, hostOf, newestAnsible, newestOnThisPython, oldestAnsible } from "../tool/ansible-versions.ts";
import { antsibullChangelog } from "../tool/changelog.ts";
import { debianSource } from "../tool/debian-tree.ts";
import { configurationDirectory, pythonVersion } from "../tool/python.ts";
import { type RunResult, run } from "../tool/run.ts";
import { docsiteSteps } from "./docsite.ts";
import type { Gate } from "./gate.ts";

const ansible = `ansible-core==${newestOnThisPython}`;
const ansibleLint = "ansible-lint==26.10.1";
const docs = "antsibull-docs==2.28.0";
const ruff = "ruff==0.17.6";

/** Oldest Python by path in the collection: on the host, and in images, where the agent of a session runs. */
const oldestPython = { plugins: "3.9", "plugins/module_utils/_session/agent.py": "3.7" };

/** Versions whose sanity gate has pylint, which takes longer than all other sanity tests together: the rules grow from version to version. */
const withPylint: readonly string[] = [oldestAnsible, newestAnsible];

/** The name of the sanity gate of one version. */
export const sanityGate = (version: string): string => `ansible-test sanity ${version}`;

export const gates: readonly Gate[] = [
  ...ansibleVersions.map(sanity),
  ...[oldestAnsible, newestAnsible].map(connectionTests),
  {
    name: "ansible-lint",
    requirements: [ansibleLint, ansible],
    check: ({ collection, collections }, command) =>
      command(["ansible-lint", "--profile=production", "--strict", "--offline", "--nocolor"], {
        cwd: collection,
        env: { ANSIBLE_COLLECTIONS_PATH: collections },
      }),
  },
  {
    name: "galaxy-importer",
    requirements: ["galaxy-importer==0.4.44", ansibleLint, ansible],
    check: async ({ artifact, scratch }, command) =>
      warningsFail(await command(["python", "-m", "galaxy_importer.main", artifact], { cwd: scratch })),
  },
  {
    name: "antsibull-docs lint-collection-docs",
    requirements: [docs, ansible],
    check: ({ collection, collections }, command) =>
      command(
        [
          "antsibull-docs",
          "lint-collection-docs",
          "--plugin-docs",
          "--validate-collection-refs=all",
          "--disallow-unknown-collection-refs",
          "--check-extra-docs-refs",
          collection,
        ],
        { cwd: collection, env: { ANSIBLE_COLLECTIONS_PATH: collections } },
      ),
  },
  {
    name: "antsibull-docs to HTML",
    requirements: [docs, antsibullChangelog, ansible, "sphinx==8.2.3", "sphinx-ansible-theme==0.10.3"],
    check: async ({ collection, scratch }, command) => {
      const env = { ANSIBLE_COLLECTIONS_PATH: scratch };
      return oneByOne(await docsiteSteps(collection, scratch), ({ argv, cwd }) => command(argv, { cwd, env }));
    },
  },
  {
    name: "antsibull-changelog lint",
    requirements: [antsibullChangelog],
    check: ({ collection }, command) => command(["antsibull-changelog", "lint"], { cwd: collection }),
  },
  {
    name: "release --dry-run",
    requirements: [antsibullChangelog, ansible],
    check: async ({ checkout, scratch }) => {
      const clone = join(scratch, "checkout");
      await run("git", ["clone", "--quiet", checkout, clone], { from: "Debian's package git" });
      const lines: string[] = [];
      const exitCode = await release((line) => lines.push(line), { dryRun: true, root: clone });
      return { exitCode, output: lines.join("\n") };
    },
  },
  {
    name: "reuse lint",
    requirements: ["reuse==6.2.0"],
    check: ({ checkout }, command) => command(["reuse", "lint", "--lines"], { cwd: checkout }),
  },
  {
    name: "ruff check",
    requirements: [ruff],
    check: ({ checkout }, command) => command(["ruff", "check", "--no-cache"], { cwd: checkout }),
  },
  {
    name: "ruff format",
    requirements: [ruff],
    check: ({ checkout }, command) => command(["ruff", "format", "--check", "--diff", "--no-cache"], { cwd: checkout }),
  },
  {
    name: "mypy",
    requirements: ["mypy==2.4.1", "types-PyYAML==6.0.12.20261113"],
    check: ({ checkout, collections, scratch }, command) =>
      command(
        [
          "mypy",
          `--config-file=${join(checkout, "pyproject.toml")}`,
          `--cache-dir=${scratch}`,
          "ansible_collections/nspawn/runner/plugins",
        ],
        { cwd: collections, env: { MYPYPATH: collections } },
      ),
  },
  {
    // ruff checks the syntax of old versions of Python, vermin the use of newer parts of the standard library.
    name: "vermin",
    requirements: ["vermin==1.9.2"],
    check: ({ collection }, command) =>
      oneByOne(Object.entries(oldestPython), ([path, version]) =>
        command(["vermin", `--target=${version}-`, "--violations", "--no-tips", path], { cwd: collection }),
      ),
  },
];

function sanity(version: string): Gate {
  return {
    name: sanityGate(version),
    host: hostOf(version),
    requirements: [`ansible-core==${version}`],
    check: async ({ collection, python, programs, scratch }, command) => {
      // ansible-test writes into the collection.
      const copy = join(scratch, "ansible_collections/nspawn/runner");
      await cp(collection, copy, { recursive: true });
      // pip finds its configuration where it always does.
      const env = { HOME: await ansibleTestHome(version), XDG_CONFIG_HOME: configurationDirectory() };
      const pythonInUse = await pythonVersion(python);
      await useReleases(programs, pythonInUse);
      const skipped = withPylint.includes(version) ? [] : ["--skip-test=pylint"];
      return command(["ansible-test", "sanity", `--python=${pythonInUse}`, "--color=no", ...skipped], {
        cwd: copy,
        env,
      });
    },
  };
}

/** ansible-core's own tests of connection plugins, against this collection's. */
function connectionTests(version: string): Gate {
  return {
    name: `connection tests of ansible-core ${version}`,
    host: hostOf(version),
    requirements: [`ansible-core==${version}`],
    check: async ({ collections, python, programs, scratch }, command) => {
      const tests = join(scratch, "tests");
      const tree = join(scratch, "tree");
      const inventory = join(scratch, "inventory.yml");
      // They write beside themselves.
      await cp(await integrationTarget(version, "connection", python, programs), tests, { recursive: true });
      await run("cp", ["--archive", "--reflink=auto", await debianSource(), tree], { from: "every Debian system" });
      const vars = { ansible_connection: "nspawn.runner.nspawn", ansible_host: tree, ansible_nspawn_idle_time: 0 };
      const hosts = { piped: { ansible_pipelining: true }, plain: { ansible_pipelining: false } };
      await writeFile(inventory, JSON.stringify({ nspawn: { vars, hosts } }));
      const variables = {
        target_hosts: "nspawn",
        action_prefix: "",
        local_tmp: join(scratch, "local"),
        remote_tmp: "/tmp/remote",
      };
      return command(["bash", "./test.sh", "--extra-vars", JSON.stringify(variables)], {
        cwd: tests,
        env: { ANSIBLE_COLLECTIONS_PATH: collections, INVENTORY: inventory, LC_ALL: "C.UTF-8" },
      });
    },
  };
}

/**
 * Makes warnings failures: galaxy-importer ends with 0 in spite of them. One warning is allowed: galaxy-importer runs ansible-lint without
 * the path of the collections, so the import of this collection's playbook in an example is not found. The gate ansible-lint checks that example.
 */
function warningsFail({ exitCode, output }: RunResult): RunResult {
  const warning = /^(?:WARNING|ERROR)(?!: ERROR +Failed to find nspawn\.runner\.\w+ playbook\.$)/m;
  return { exitCode: warning.test(output) ? exitCode || 1 : exitCode, output };
}

/** Stops at the first step that fails. */
async function oneByOne<T>(steps: readonly T[], step: (step: T) => Promise<RunResult>): Promise<RunResult> {
  let output = "";
  for (const each of steps) {
    const result = await step(each);
    output += result.output;
    if (result.exitCode !== 0) return { exitCode: result.exitCode, output };
  }
  return { exitCode: 0, output };
}

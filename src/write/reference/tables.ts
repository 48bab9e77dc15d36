// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// The reference pages of the tables: playbooks, systemd-nspawn's command line, bootstrap tools, ignored paths.

import type { Spec } from "../../ir/spec.ts";
import type { Kept, NspawnFlag } from "../../ir/tables.ts";
import { htmlHeader } from "../header.ts";
import { mdBlock, mdCode, mdTable, mdText } from "../literal/markdown.ts";
import { minimumSystemd } from "../nspawn-flags.ts";

export function playbooksPage({ playbooks }: Spec): string {
  const sections = playbooks.rows.map(
    ({ name, does, hosts, example }) =>
      `## ${name}\n\n${mdText(does)} Hosts: ${mdCode(hosts)}.\n\n${mdBlock("console", `# ${example}`)}`,
  );
  return [htmlHeader([playbooks.source]), "# Playbooks\n", ...sections].join("\n");
}

export function nspawnPage(spec: Spec): string {
  const { source, rows } = spec.nspawn_flags;
  return [
    htmlHeader([...new Set([source, spec.scope_properties.source, spec.exit_statuses.source])]),
    "# The systemd-nspawn command line\n",
    `Flags and environment of the containers that the collection starts, with reasons. systemd ${minimumSystemd(spec)} or later is needed.\n`,
    "## In every call\n",
    flagTable(rows.filter(({ variable, staged }) => variable === null && !staged)),
    "## In a staged tree\n",
    flagTable(rows.filter(({ staged }) => staged)),
    "## By an image's variables\n",
    flagTable(rows.filter(({ variable }) => variable !== null)),
    "## The scope of a session\n",
    "Where systemd is PID 1, the container of a session runs in a scope of its own with these properties.\n",
    mdTable(
      ["Property", "Why"],
      spec.scope_properties.rows.map(({ property, value, why }) => [mdCode(`${property}=${value}`), mdText(why)]),
    ),
    "## Exit statuses of nspawn-chroot\n",
    "`nspawn-chroot TREE COMMAND` ends with the exit status of the command, or with one of these when no command was started.\n",
    mdTable(
      ["Status", "When"],
      spec.exit_statuses.rows.map(({ status, when }) => [`${status}`, mdText(when)]),
    ),
  ].join("\n");
}

function flagTable(rows: readonly NspawnFlag[]): string {
  const byVariable = rows.some(({ variable }) => variable !== null);
  const heading = ["Flag", ...(byVariable ? ["Variable"] : []), "Why", "systemd", "Source"];
  const cells = rows.map((row) => [
    `${mdCode(row.flag)}${row.environment ? " (environment)" : ""}`,
    ...(byVariable ? [condition(row)] : []),
    mdText(row.why),
    `${row.systemd}`,
    row.source ? `<${row.source}>` : "",
  ]);
  return mdTable(heading, cells);
}

function condition({ variable, needs, when, pattern }: NspawnFlag): string {
  const value = when === null ? "" : ` is ${mdCode(String(when))}`;
  const values = pattern === null ? "" : `, each value that matches ${mdCode(pattern)}`;
  return `${mdCode(variable ?? "")}${value}${values}${needs === null ? "" : `, unless ${mdCode(needs)} is false`}`;
}

export function bootstrapPage(spec: Spec): string {
  const { bootstrap_tools, base_packages, distributions, pockets, kept_variables, kept_capabilities } = spec;
  const rows = bootstrap_tools.rows.map((tool) => [
    mdCode(tool.name),
    mdCode(tool.package),
    mdText(tool.why),
    [tool.program, ...tool.arguments].map(mdCode).join(" "),
  ]);
  return [
    htmlHeader([
      ...new Set(
        [bootstrap_tools, base_packages, distributions, pockets, kept_variables, kept_capabilities].map(
          ({ source }) => source,
        ),
      ),
    ]),
    "# Bootstrap tools\n",
    "The programs that make a tree, in order of preference. An argument whose value is not set is left out. `{sources...}` is an argument per repository.\n",
    mdTable(["Tool", "Debian package", "Description", "Command"], rows),
    `Every image made by one of them gets ${base_packages.rows.map(mdCode).join(", ")}.\n`,
    "## Repositories\n",
    "Without `nspawn_runner_mirror` and `nspawn_runner_repositories`, a tree is made from these archives. `apt` is the archive that apt of the host uses for a suite of the distribution; where apt has none, the tool uses its own default.\n",
    mdTable(
      ["Distribution", "Archive", "Keys", "Debian package", "Components"],
      distributions.rows.map((row) => [
        row.name,
        mdCode(row.mirror),
        mdCode(row.keyring),
        mdCode(row.package),
        row.components.map(mdCode).join(", "),
      ]),
    ),
    "A tree also has these pockets, as far as they exist: with newer packages than the suite. Of the two places, the first one that has the pocket counts. `{mirror}` is the value of `nspawn_runner_mirror`, or the archive above.\n",
    mdTable(
      ["Distribution", "Pocket", "Suites", "Pocket's suite", "First place", "Second place"],
      pockets.rows.map((row) => [
        row.distribution,
        row.name,
        mdCode(row.suites),
        mdCode(row.suite),
        mdCode(row.beside),
        row.mirror === null ? "" : mdCode(row.mirror),
      ]),
    ),
    "## Variables and capabilities of a creation\n",
    "A bootstrap tool, a create command and tar run as root on the host, in mount, PID, IPC and UTS namespaces of their own.\n",
    "`PATH` is that of the caller with the system's directories, `LC_ALL` is `C`, and of all other variables they get these.\n",
    keptTable("Variables", kept_variables.rows),
    "They have these capabilities and no other.\n",
    keptTable("Capabilities", kept_capabilities.rows),
  ].join("\n");
}

const keptTable = (heading: string, rows: readonly Kept[]): string =>
  mdTable(
    [heading, "Why"],
    rows.map(({ names, why }) => [names.map(mdCode).join(", "), mdText(why)]),
  );

export function ignoredPage({ ignored_paths }: Spec): string {
  const rows = ignored_paths.rows.map(({ path, why, anywhere, files }) => [
    `${mdCode(path)}${anywhere ? " (anywhere)" : files ? " (files)" : ""}`,
    mdText(why),
  ]);
  return [
    htmlHeader([ignored_paths.source]),
    "# Ignored paths\n",
    "A maintenance that changes nothing else does not publish: the image keeps its tree. A directory means everything in it, but not its own",
    "owner, mode and attributes. An image has further ignored paths with the variable `nspawn_runner_ignored_paths`.\n",
    mdTable(["Path in the tree", "Why"], rows),
    "At all other paths, these count:\n",
    "* the names in a directory;",
    "* kind, owner, group, mode and extended attributes, such as capabilities and access lists;",
    "* the content of a file, the target of a symbolic link, the number of a device;",
    "* the number of hard links.\n",
    "Times count at no path: a file that was written again, with the same content, is the same.",
    "So are a link and a directory that were made again.\n",
  ].join("\n");
}

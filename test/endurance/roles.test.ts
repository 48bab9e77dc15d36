// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Roles as people have them for hosts, in images: test/roles. On the suites of NSPAWN_RUNNER_SUITES, such as bookworm,trixie,sid; on a lab, on all.
// and with more roles.

import { createHash } from "node:crypto";
import { cpSync } from "node:fs";
import { copyFile, mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { suites as allSuites, type Suite } from "../../src/tool/mmdebstrap.ts";
import { withChrootConnection } from "../support/ansible.ts";
import { type Archive, archive } from "../support/archive.ts";
import { watchDaemons } from "../support/daemons.ts";
import { container, running, until } from "../support/process.ts";
import { type RunnerHost, recap, runnerHost, sentence, summary } from "../support/runner-host.ts";
import { files, scratch } from "../support/scratch.ts";
import { busyboxTree, debianTree } from "../support/trees.ts";

const roles = join(import.meta.dirname, "../roles");

const onLab = Boolean(process.env["NSPAWN_RUNNER_LAB"]);
/** The usual run leaves out a role that installs much, and has few roles by community.general.chroot. */
const thorough = Boolean(process.env["NSPAWN_RUNNER_SUITES"]) || onLab;
const suites = (process.env["NSPAWN_RUNNER_SUITES"]?.split(",") ??
  (onLab ? ["bookworm", "trixie", "sid"] : [])) as readonly Suite[];
const unknown = suites.filter((suite) => !allSuites.includes(suite));
if (unknown.length > 0) throw new Error(`NSPAWN_RUNNER_SUITES has no Debian suites: ${unknown.join(", ")}`);

/** Daemons that the roles install, and the ports of these daemons. */
const daemons = ["nginx", "postgres", "sshd", "cron", "podman", "exporter", "worker"];
const ports = [22, 80, 5432, 8000, 8080, 9100];

let server: Archive;

beforeAll(async () => {
  server = await archive();
  for (const name of ["keys", "releases"]) await mkdir(join(server.directory, name), { recursive: true });
  await copyFile(server.keyring, join(server.directory, "keys/language.gpg"));
  const program = (version: string) => `#!/bin/sh\necho ${version}\n`;
  await server.pocket("language", "stable", { ourlang: "2.1-1" }, { "usr/bin/ourlang": program("2.1") });
  const release = await files(scratch("file"), { "exporter-1.4.0/exporter": program("1.4.0") });
  await execa("chmod", ["755", join(release, "exporter-1.4.0/exporter")]);
  const names = ["amd64", "arm64"].map((architecture) => `exporter-1.4.0.${architecture}.tar.gz`);
  for (const name of names)
    await execa("tar", ["-C", release, "-czf", join(server.directory, "releases", name), "exporter-1.4.0"]);
});

afterAll(() => server?.close());

describe("the watch", () => {
  test("sees a daemon on this machine, a daemon in a container on a tree, and the ports of both", async () => {
    const directory = scratch();
    const tree = await busyboxTree(join(directory, "tree"));
    const program = join(directory, "nginx");
    await execa("cp", ["/usr/bin/python3", program]);
    const watch = watchDaemons(["nginx", "nc"], basename(directory), []);
    const listen =
      "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print('up', flush=True); time.sleep(600)";
    await running([program, "-c", listen]);
    await running(container(tree, "/bin/sh", "-c", "echo up; exec nc -l"));
    await until(() => watch.seen().ports.length === 2);
    const { outside, inside, ports } = watch.stop();
    expect(outside).toEqual([expect.stringContaining(program)]);
    expect(inside).toEqual(["nc -l"]);
    expect(ports.map((line) => line.replace(/^\d+ of /, "")).sort()).toEqual([
      expect.stringContaining(program),
      "nc -l",
    ]);
  });
});

describe.each(suites)("on %s", (suite) => {
  test("all roles: created; the second night finds nothing to do; no daemon and no port is on the host", async () => {
    const host = await rolesHost(suite);
    const watch = watchDaemons(daemons, basename(host.directory), ports);
    const first = await host.run(["site.yml"]);
    const second = await host.run(["site.yml"]);
    const seen = watch.stop();
    expect(sentence(first, suite), first.stdout).toBe("");
    expect(summary(first, suite)[0], first.stdout).toBe("published");
    expect(summary(second, suite).slice(0, 2), changes(second.stdout)).toEqual(["unchanged", "0"]);
    expect(recap(second, suite)).toMatchObject({ changed: 0, failed: 0, unreachable: 0 });
    expect(seen).toEqual({ outside: [], inside: seen.inside.filter(isMeant), ports: [] });
    // The server of the database ran, and was seen.
    expect(seen.inside.some((command) => /^\/usr\/lib\/postgresql\/\d+\/bin\/postgres /.test(command))).toBe(true);
  });

  test("roles without a server, in place by community.general.chroot: changed, and then unchanged", async () => {
    const host = await rolesHost(suite);
    const tree = await debianTree(join(host.root, suite), suite);
    // As after a creation: the lists are old.
    await utimes(join(tree, "var/lib/apt/lists"), 0, 0);
    const inventory = join(host.directory, "nspawn_runner.yml");
    await writeFile(inventory, `${await readFile(inventory, "utf8")}connection: community.general.chroot\n`);
    const run = () => host.run([`${suite}.yml`, ...chosen], { env: withChrootConnection() });
    const watch = watchDaemons(daemons, basename(host.directory), ports);
    const first = await run();
    const second = await run();
    const seen = watch.stop();
    expect(recap(first, suite), first.stdout + first.stderr).toMatchObject({ failed: 0, unreachable: 0 });
    expect(recap(first, suite)["changed"]).toBeGreaterThan(15);
    expect(recap(second, suite), changes(second.stdout)).toMatchObject({ changed: 0, failed: 0, unreachable: 0 });
    expect(seen).toEqual({ outside: [], inside: seen.inside.filter(isMeant), ports: [] });
  });
});

/**
 * Each command has a container of its own. So a server, a task in the background and the directory /run/sshd end with the command that made
 * them.
 */
const chosen = thorough ? ["--skip-tags", "database,background,ssh"] : ["--tags", "jobs,rotation"];

/** The server of the database, and programs with the name of a daemon that only check a configuration or print a version. */
const isMeant = (command: string): boolean =>
  /^postgres: |\/postgres (-D|--(check|boot|single)) | -t( |$)| --(version|once)$/.test(command);

/** The tasks that report a change. */
const changes = (output: string): string =>
  (output.match(/^(TASK|RUNNING HANDLER) .*\n(?:(?!^TASK).*\n)*?changed: .*/gm) ?? [output]).join("\n");

/** A runner host with an image of all roles. The image has the name of the suite. */
async function rolesHost(suite: Suite): Promise<RunnerHost> {
  const all = await readFile(join(roles, "image.yml"), "utf8");
  const image = thorough ? all : all.replace(/^.*role: containers.*\n/m, "");
  const archived = await readFile(join(server.directory, "releases/exporter-1.4.0.amd64.tar.gz"));
  const url = new URL(server.url).origin;
  const access = (name: string, base: string) => ({
    [`${name}_url`]: base,
    [`${name}_login`]: server.login.user,
    [`${name}_password`]: server.login.password,
  });
  const variables = {
    ...access("language", url),
    ...access("exporter", `${url}/releases`),
    exporter_checksum: createHash("sha256").update(archived).digest("hex"),
  };
  const host = await runnerHost(
    {
      [`${suite}.yml`]: image.replace("IMAGE", suite).replace("SUITE", suite),
      "group_vars/all.yml": JSON.stringify(variables),
    },
    [],
  );
  cpSync(roles, join(host.directory, "roles"), { recursive: true });
  await makeWheel(join(host.directory, "roles/application/files/wheels"));
  return host;
}

/** A wheel, a zip file, of a module that says hello. */
async function makeWheel(directory: string): Promise<void> {
  const info = "greeter-1.0.dist-info";
  const tree = await files(scratch(), {
    "greeter.py": "print('hello')\n",
    [`${info}/METADATA`]: "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n",
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${info}/RECORD`]: `greeter.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`,
  });
  await mkdir(directory, { recursive: true });
  const wheel = join(directory, "greeter-1.0-py3-none-any.whl");
  await execa("python3", ["-m", "zipfile", "--create", wheel, "greeter.py", info], { cwd: tree });
}

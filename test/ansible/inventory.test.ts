// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inventory plugin: the images, the groups and variables of an image, and the plugin's options.

import { chmod, chown, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ansible, collectionPath } from "../support/ansible.ts";
import {
  countOf,
  imagePath,
  inventoryFile,
  inventoryHost,
  type Listing,
  list,
  playbook,
} from "../support/inventory-host.ts";
import { files, scratch } from "../support/scratch.ts";

const bookworm =
  'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n';

/** Root without the right to pass over the modes of other users' files. */
const asOther = [
  "setpriv",
  "--bounding-set=-dac_override,-dac_read_search",
  "--inh-caps=-dac_override,-dac_read_search",
];

describe("images", () => {
  const directory = scratch("file");
  let listing: Listing;

  beforeAll(async () => {
    await inventoryHost(directory, {
      "site.yml": "- import_playbook: nspawn.runner.maintenance\n",
      "requirements.yml": "collections: [nspawn.runner]\n",
      "broken.yml": "- [",
      "defaults.yml": "nspawn_runner_mirror: http://mirror.test/debian\n",
      "present.yml": playbook("nspawn_runner_chroot_suite: bookworm", "other: 1"),
      "missing.yaml": playbook("nspawn_runner_chroot_suite: trixie", "nspawn_runner_packages: [git, ccache]"),
      "plain.yml": "- hosts: all\n  tasks: []\n",
      "nobodys.yml": "- hosts: nspawn_runner_declared\n  tasks: []\n",
      "images/present/etc/os-release": bookworm,
      "images/plain/usr/lib/os-release": bookworm,
      "images/unmanaged/": "",
      "images/lost+found/": "",
      "images/.nspawn-runner/hidden/": "",
      "images/notes.txt": "",
    });
    await mkdir(imagePath(directory, "present/usr/bin"), { recursive: true });
    await symlink("python3.11", imagePath(directory, "present/usr/bin/python3"));
    listing = await list(directory);
  });

  test("are trees, and playbooks whose first play has a variable of the collection; other files give no image and no warning", () => {
    expect(Object.keys(listing.hosts).sort()).toEqual(["missing", "plain", "present", "unmanaged"]);
    expect(listing.stderr).toBe("");
    expect(listing.exitCode).toBe(0);
  });

  test.each([
    ["nspawn_runner_declared", ["missing", "plain", "present"]],
    ["nspawn_runner_present", ["plain", "present", "unmanaged"]],
    ["nspawn_runner_missing", ["missing"]],
    ["nspawn_runner_unmanaged", ["unmanaged"]],
    ["nspawn_runner", []],
    ["ungrouped", []],
  ])("are grouped: %s has %j", (group, hosts) => {
    expect(listing.group(group)).toEqual(hosts);
  });

  test("have all variables when declared and present", () => {
    expect(listing.hosts.present).toEqual({
      ansible_chroot_exe: join(collectionPath(), "playbooks/files/nspawn-chroot"),
      ansible_connection: "nspawn.runner.nspawn",
      ansible_host: imagePath(directory, "present"),
      ansible_pipelining: true,
      ansible_python_interpreter: "/usr/bin/python3",
      nspawn_runner_chroot_suite: "bookworm",
      nspawn_runner_os: {
        id: "debian",
        pretty_name: "Debian GNU/Linux 12 (bookworm)",
        version_codename: "bookworm",
        version_id: "12",
      },
      nspawn_runner_path: imagePath(directory, "present"),
      nspawn_runner_playbook: join(directory, "present.yml"),
      nspawn_runner_present: true,
      nspawn_runner_root: join(directory, "images"),
    });
  });

  test("have no variables of a tree when missing", () => {
    expect(listing.hosts.missing).toMatchObject({
      ansible_host: imagePath(directory, "missing"),
      nspawn_runner_packages: ["git", "ccache"],
      nspawn_runner_playbook: join(directory, "missing.yaml"),
      nspawn_runner_present: false,
    });
    expect(listing.hosts.missing).not.toHaveProperty("nspawn_runner_os");
    expect(listing.hosts.missing).not.toHaveProperty("ansible_python_interpreter");
  });

  test("take os-release from usr/lib when etc has none", () => {
    expect(listing.hosts.plain).toMatchObject({ nspawn_runner_os: { id: "debian" } });
  });

  test("have no playbook when unmanaged", () => {
    expect(listing.hosts.unmanaged).not.toHaveProperty("nspawn_runner_playbook");
  });

  test("have ordinary strings in the JSON, without Ansible's marks", () => {
    expect(listing.stdout).not.toContain("__ansible_unsafe");
  });

  test("are shown by --graph", async () => {
    const { stdout } = await ansible("ansible-inventory", ["-i", "nspawn_runner.yml", "--graph", "nspawn_runner"], {
      cwd: directory,
    });
    expect(stdout).toBe(`@nspawn_runner:
  |--@nspawn_runner_declared:
  |  |--missing
  |  |--plain
  |  |--present
  |--@nspawn_runner_present:
  |  |--plain
  |  |--present
  |  |--unmanaged
  |--@nspawn_runner_missing:
  |  |--missing
  |--@nspawn_runner_unmanaged:
  |  |--unmanaged`);
  });
});

describe("a root directory", () => {
  test("that does not exist: all images are missing, and every group exists", async () => {
    const directory = await inventoryHost(scratch(), { "sid.yml": playbook("nspawn_runner_chroot_suite: sid") });
    const { hosts, group, stderr } = await list(directory);
    expect(Object.keys(hosts)).toEqual(["sid"]);
    expect(group("nspawn_runner_missing")).toEqual(["sid"]);
    expect(stderr).toBe("");
    const play = "- hosts: nspawn_runner_present:nspawn_runner_unmanaged\n  gather_facts: false\n";
    await writeFile(join(directory, "site.yml"), play);
    const run = await ansible("ansible-playbook", ["-i", "nspawn_runner.yml", "site.yml"], { cwd: directory });
    expect(run.stderr).not.toContain("Could not match");
  });

  test("comes from the environment when the inventory file names none", async () => {
    const directory = await inventoryHost(scratch(), {
      "nspawn_runner.yml": "plugin: nspawn.runner.chroots\n",
      "elsewhere/sid/": "",
    });
    const { hosts } = await list(directory, { env: { NSPAWN_RUNNER_ROOT: join(directory, "elsewhere") } });
    expect(hosts.sid).toMatchObject({ nspawn_runner_path: join(directory, "elsewhere/sid") });
  });

  test("is not the current directory when the variable of the environment is empty", async () => {
    const directory = await inventoryHost(scratch(), { "nspawn_runner.yml": "plugin: nspawn.runner.chroots\n" });
    const { hosts, stderr } = await list(directory, { env: { NSPAWN_RUNNER_ROOT: "" } });
    expect(hosts).toEqual({});
    expect(countOf("NSPAWN_RUNNER_ROOT in the environment is empty: unset it, or give it", stderr)).toBeGreaterThan(0);
  });

  test("is relative to the inventory file, not to the current directory, and ~ is expanded", async () => {
    const directory = await inventoryHost(scratch(), { "images/sid/": "", "home/images/trixie/": "" });
    const { hosts } = await list("/", { inventory: join(directory, "nspawn_runner.yml") });
    expect(Object.keys(hosts)).toEqual(["sid"]);
    await writeFile(join(directory, "nspawn_runner.yml"), inventoryFile.replace("root: images", "root: ~/images"));
    expect(Object.keys((await list(directory, { env: { HOME: join(directory, "home") } })).hosts)).toEqual(["trixie"]);
  });

  test("that cannot be read gives one clear sentence", async () => {
    const directory = await inventoryHost(scratch(), { "images/sid/": "" });
    await chmod(join(directory, "images"), 0o700);
    await chown(join(directory, "images"), 65534, 65534);
    const { hosts, stderr } = await list(directory, { under: asOther });
    expect(hosts).toEqual({});
    const sentence = `Cannot list the images in the root directory ${join(directory, "images")}: Permission denied: run Ansible as root, or as a user with the right to read it`;
    expect(countOf(sentence, stderr)).toBeGreaterThan(0);
    expect(stderr).not.toContain("Traceback");
  });

  test("that every user can read serves every user, without facts of private trees", async () => {
    const directory = await inventoryHost(scratch(), {
      "sid.yml": playbook("nspawn_runner_chroot_suite: sid"),
      "images/sid/etc/os-release": bookworm,
    });
    await chmod(imagePath(directory, "sid"), 0o700);
    await chown(imagePath(directory, "sid"), 65534, 65534);
    const { hosts, stderr } = await list(directory, { under: asOther });
    expect(stderr).toBe("");
    expect(hosts.sid).toMatchObject({ nspawn_runner_present: true, nspawn_runner_chroot_suite: "sid" });
    expect(hosts.sid).not.toHaveProperty("nspawn_runner_os");
  });

  test("that is a file gives one clear sentence", async () => {
    const directory = await inventoryHost(scratch(), { images: "" });
    const { hosts, stderr } = await list(directory);
    expect(hosts).toEqual({});
    expect(
      countOf(`Cannot list the images in the root directory ${join(directory, "images")}: Not a directory`, stderr),
    ).toBeGreaterThan(0);
    expect(stderr).not.toContain("Errno");
  });
});

describe("options", () => {
  const images = Object.fromEntries(
    ["sid", "trixie", "scratch-1"].map((name) => [`images/${name}/etc/os-release`, bookworm]),
  );

  test("include and exclude choose images by name, before any file of an image is read", async () => {
    const directory = await inventoryHost(scratch(), {
      ...images,
      "nspawn_runner.yml": `${inventoryFile}include: [s*]\nexclude: [scratch-*, 'sa *']\n`,
      "scratch-1.yml": playbook("nspawn_runner_of_nobody: 1"),
      "images/sa d/": "",
    });
    const { hosts, stderr } = await list(directory);
    expect(Object.keys(hosts)).toEqual(["sid"]);
    expect(stderr).toBe("");
  });

  test("playbook_dirs: the first directory that has an image's playbook wins", async () => {
    const directory = await inventoryHost(scratch(), {
      "nspawn_runner.yml": inventoryFile.replace("[.]", "[one, two]"),
      "one/sid.yml": playbook("nspawn_runner_chroot_suite: one"),
      "two/sid.yaml": playbook("nspawn_runner_chroot_suite: two"),
      "two/trixie.yml": playbook("nspawn_runner_chroot_suite: two"),
    });
    const { hosts, stderr } = await list(directory);
    expect(hosts.sid).toMatchObject({ nspawn_runner_chroot_suite: "one" });
    expect(hosts.trixie).toMatchObject({ nspawn_runner_chroot_suite: "two" });
    const both = `Image sid has two playbooks: ${join(directory, "one/sid.yml")} counts, ${join(directory, "two/sid.yaml")} is ignored`;
    expect(countOf(both, stderr)).toBe(1);
  });

  test("playbook_dirs: variables in group_vars beside a playbook give a warning, those beside the inventory file do not", async () => {
    const directory = await inventoryHost(scratch(), {
      "nspawn_runner.yml": inventoryFile.replace("[.]", "[one]"),
      "one/sid.yml": playbook("nspawn_runner_chroot_suite: one"),
      "one/group_vars/all.yml": "# Packages\nnspawn_runner_pakages: [x]\n",
      "group_vars/all.yml": "nspawn_runner_packages: [y]\n",
    });
    const { hosts, stderr } = await list(directory);
    expect(hosts.sid).toMatchObject({ nspawn_runner_packages: ["y"] });
    expect(stderr.match(/WARNING/g)).toHaveLength(1);
    const place = join(directory, "one/group_vars/all.yml:2");
    expect(countOf(`${place}: nspawn_runner_pakages has no effect here: set it in the vars of the first`, stderr)).toBe(
      1,
    );
  });

  test("without playbook_dirs, the inventory's directory comes before the root", async () => {
    const directory = await inventoryHost(scratch(), {
      "nspawn_runner.yml": "plugin: nspawn.runner.chroots\nroot: images\n",
      "nspawn-runner-test-a.yml": playbook("nspawn_runner_chroot_suite: beside"),
      "images/nspawn-runner-test-a.yml": playbook("nspawn_runner_chroot_suite: root"),
      "images/nspawn-runner-test-b.yml": playbook("nspawn_runner_chroot_suite: root"),
    });
    const { hosts, stderr } = await list(directory);
    expect(hosts["nspawn-runner-test-a"]).toMatchObject({ nspawn_runner_chroot_suite: "beside" });
    expect(hosts["nspawn-runner-test-b"]).toMatchObject({ nspawn_runner_chroot_suite: "root" });
    expect(stderr.match(/WARNING/g)).toHaveLength(1);
    expect(countOf("Image nspawn-runner-test-a has two playbooks", stderr)).toBe(1);
  });

  test("x.yaml wins over x.yml, and a warning names both", async () => {
    const directory = await inventoryHost(scratch(), {
      "sid.yml": playbook("nspawn_runner_chroot_suite: yml"),
      "sid.yaml": playbook("nspawn_runner_chroot_suite: yaml"),
    });
    const { hosts, stderr } = await list(directory);
    expect(hosts.sid).toMatchObject({ nspawn_runner_chroot_suite: "yaml" });
    const both = `Image sid has two playbooks: ${join(directory, "sid.yaml")} counts, ${join(directory, "sid.yml")} is ignored`;
    expect(countOf(both, stderr)).toBe(1);
  });

  test("connection: a plugin that is not installed gives one warning, which names the package to install", async () => {
    const directory = await inventoryHost(scratch(), {
      ...images,
      "nspawn_runner.yml": `${inventoryFile}connection: community.general.chroot\n`,
    });
    const { hosts, stderr } = await list(directory);
    expect(stderr.match(/WARNING/g)).toHaveLength(1);
    expect(countOf("ansible-galaxy collection install community.general", stderr)).toBe(1);
    expect(countOf("run apt install ansible, or", stderr)).toBe(1);
    expect(Object.keys(hosts)).toHaveLength(3);
  });

  test("connection: the host variable has the plugin's name", async () => {
    const directory = await inventoryHost(scratch(), {
      ...images,
      "nspawn_runner.yml": `${inventoryFile}connection: community.general.chroot\n`,
    });
    const { hosts } = await list(directory);
    expect(hosts.sid).toMatchObject({ ansible_connection: "community.general.chroot" });
  });

  test.each(["ansible.builtin.local", "chroot"])(
    "connection: %s is refused, with the plugins that do not lead past the trees",
    async (connection) => {
      const directory = await inventoryHost(scratch(), {
        ...images,
        "nspawn_runner.yml": `${inventoryFile}connection: ${connection}\n`,
      });
      const { hosts, stderr } = await list(directory);
      expect(hosts).toEqual({});
      const sentence = `nspawn_runner.yml: option 'connection' is '${connection}': use nspawn.runner.nspawn or community.general.chroot, since`;
      expect(stderr.replace(/\s+/g, " ")).toContain(sentence);
    },
  );

  test("compose, groups and keyed_groups see the image's variables", async () => {
    const directory = await inventoryHost(scratch(), {
      ...images,
      "nspawn_runner.yml": `${inventoryFile}compose:\n  label: nspawn_runner_os.id ~ '-' ~ nspawn_runner_chroot_suite\ngroups:\n  rolling: nspawn_runner_chroot_suite == 'unstable'\nkeyed_groups:\n  - {key: nspawn_runner_os.version_codename, prefix: os}\n`,
      "sid.yml": playbook("nspawn_runner_chroot_suite: unstable"),
    });
    const { hosts, group } = await list(directory);
    expect(hosts.sid).toMatchObject({ label: "debian-unstable" });
    expect(hosts.trixie).not.toHaveProperty("label");
    expect(group("rolling")).toEqual(["sid"]);
    expect(group("os_bookworm").sort()).toEqual(["scratch-1", "sid", "trixie"]);
  });
});

describe("an error of compose, groups or keyed_groups with strict", () => {
  test.each([
    ["compose", "{label: nspawn_runner_os.nope}", ["scratch-1", "sid", "trixie"]],
    ["groups", "{rolling: nspawn_runner_os.id == 'debian'}", ["sid"]],
    ["keyed_groups", "[{key: nspawn_runner_os.nope}]", ["scratch-1", "sid", "trixie"]],
    ["keyed_groups", "[nonsense]", ["scratch-1", "sid", "trixie"]],
  ])("is the image's error, and all images are listed: %s %s", async (option, value, failed) => {
    const directory = await inventoryHost(scratch(), {
      "nspawn_runner.yml": `${inventoryFile}strict: true\n${option}: ${value}\n`,
      "images/scratch-1/etc/os-release": bookworm,
      "images/trixie/etc/os-release": bookworm,
      "sid.yml": playbook("nspawn_runner_chroot_suite: sid"),
      "trixie.yml": playbook("nspawn_runner_chroot_suite: trixie"),
    });
    const { hosts, group, stderr } = await list(directory);
    expect(Object.keys(hosts).sort()).toEqual(["scratch-1", "sid", "trixie"]);
    expect(group("nspawn_runner_declared").sort()).toEqual(["sid", "trixie"]);
    const start = `${join(directory, "nspawn_runner.yml")}:5: ${option}: `;
    for (const [name, variables] of Object.entries(hosts)) {
      if (failed.includes(name)) expect(variables.nspawn_runner_error).toMatch(new RegExp(`^${start}[^\n]{1,310}$`));
      else expect(variables).not.toHaveProperty("nspawn_runner_error");
      expect(countOf(`Image ${name}: ${start}`, stderr)).toBe(failed.includes(name) ? 1 : 0);
    }
  });
});

describe("a bad nspawn_runner.yml", () => {
  test.each([
    [
      "text for a truth value",
      "strict: maybe\n",
      "nspawn_runner.yml:4: option 'strict' must be true or false, not 'maybe'",
    ],
    ["a list for a path", "root: [a]\n", "nspawn_runner.yml:4: option 'root' must be a string, not ['a']"],
    ["text for a mapping", "compose: x\n", "nspawn_runner.yml:4: option 'compose' must be a mapping, not 'x'"],
    ["a missing directory", "playbook_dirs: [., none]\n", "none, which does not exist: correct the option"],
    ["a file for a directory", "playbook_dirs: [site]\n", "site, which is not a directory: correct the option"],
    [
      "an unknown option",
      "rooot: /srv\n",
      "nspawn_runner.yml:4: unknown option 'rooot'; the nearest known one is 'root'",
    ],
    [
      "an option of Ansible's own misspelt",
      "keyed_group: []\n",
      "unknown option 'keyed_group'; the nearest known one is 'keyed_groups'",
    ],
    ["a list of something else", "include: [1]\n", "option 'include' must be a list of strings, and 1 is not a string"],
    [
      "a wrong type",
      "playbook_dirs: {a: b}\n",
      "nspawn_runner.yml:4: option 'playbook_dirs' must be a list, not {'a': 'b'}",
    ],
    ["an empty root directory", "root: ''\n", "nspawn_runner.yml:4: option 'root' is empty: give the path"],
  ])("with %s gives an error that names the mistake, and lists no image", async (_what, options, message) => {
    const directory = await inventoryHost(scratch(), {
      "nspawn_runner.yml": inventoryFile + options,
      "images/sid/": "",
      site: "",
    });
    const { hosts, stderr } = await list(directory);
    expect(hosts).toEqual({});
    expect(countOf(message, stderr)).toBeGreaterThan(0);
    expect(countOf(join(directory, "nspawn_runner.yml"), stderr)).toBeGreaterThan(0);
    expect(stderr).not.toContain("Traceback");
  });
});

describe("the name of an inventory file", () => {
  test("without nspawn_runner at the end: the file is not read, and the error is Ansible's", async () => {
    const directory = await inventoryHost(scratch(), { "images.yml": inventoryFile, "images/sid/": "" });
    const { hosts, stderr } = await list(directory, { inventory: "images.yml" });
    expect(hosts).toEqual({});
    expect(countOf("could not be verified by inventory plugin 'nspawn.runner.chroots'", stderr)).toBeGreaterThan(0);
  });

  test.each(["nspawn_runner.yaml", "ci.nspawn_runner.yml"])("%s: the file is read", async (name) => {
    const directory = await files(scratch(), { [name]: inventoryFile, "images/sid/": "" });
    expect(Object.keys((await list(directory, { inventory: name })).hosts)).toEqual(["sid"]);
  });
});

// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The tree that a lab boots: a Debian host with Ansible, where the tests can run.

import { testPackages } from "../tool/apt.ts";
import { debian, type Suite } from "../tool/mmdebstrap.ts";

const packages = [
  // Only the linter needs shellcheck, whose Haskell packages are often in transition in the archive.
  ...testPackages.filter((name) => name !== "shellcheck"),
  "ca-certificates",
  "dbus",
  "git",
  "nodejs",
  "python3",
  "python3-venv",
  "sudo",
  "systemd",
  "systemd-sysv",
];

/** Directories on this machine's disk instead of the lab's overlay: the kernel refuses an overlay on an overlay. */
export const diskDirectories = ["/var/lib/machines", "/var/lib/nspawn-runner", "/var/tmp"];

const collections = "/usr/lib/python3/dist-packages/ansible_collections";

/** Files that no test reads: most files of a tree, of which most belong to Debian's package ansible. */
const unread = [
  ...["doc", "locale", "man"].map((directory) => `exclude=/usr/share/${directory}/*`),
  `exclude=${collections}/*`,
  `include=${collections}/community`,
  `include=${collections}/community/general*`,
].map((rule) => `--dpkgopt=path-${rule}`);

/** The cached tree of a suite. Making a new one takes some minutes. */
export function labTree(suite: Suite): Promise<string> {
  return debian("lab", suite, [
    ...unread,
    `--include=${[...new Set(packages)].join(",")}`,
    // Python compiles the files that it imports. Compiling all files of all packages takes longer than the rest of the installation.
    '--essential-hook=chroot "$1" dpkg-divert --quiet --local --divert /usr/bin/py3compile.real --add /usr/bin/py3compile',
    '--essential-hook=ln -s /bin/true "$1/usr/bin/py3compile"',
    // Empty, so that the next boot sets the ID. The value "uninitialized" of a new tree means a first boot with questions on the console.
    '--customize-hook=: >"$1/etc/machine-id"',
    // The lab has the capability to load modules, but the tree has no modules.
    '--customize-hook=ln -s /dev/null "$1/etc/systemd/system/systemd-modules-load.service"',
    // No udev runs in a container to make these nodes.
    `--customize-hook=for i in $(seq 0 15); do echo "b! /dev/loop$i 0660 root disk - 7:$i"; done >"$1/etc/tmpfiles.d/loop.conf"`,
    ...diskDirectories.map((directory) => `--customize-hook=mkdir -p "$1${directory}"`),
  ]);
}
